"""The one model that a process of an engine's node holds, whatever it is for."""

import contextlib
import threading
from collections.abc import Callable, Hashable, Iterator
from typing import Any, TypeVar

Model = TypeVar("Model")

_AT_WORK = threading.Lock()  # Dask may run parts in threads of one process
_HELD: dict[Hashable, Any] = {}


@contextlib.contextmanager
def hold_model(key: Hashable, load: Callable[[], Model]) -> Iterator[Model]:
    """Give a model to one part at a time; it is loaded if it is not the one of the part before.

    Args:
        key: All that decides which model it is, and what for.
        load: Loads it.
    """
    with _AT_WORK:
        if key not in _HELD:
            _HELD.clear()  # one model at a time: memory is the nodes' scarcest
            _HELD[key] = load()
        yield _HELD[key]


def let_go() -> None:
    """Hold no model, as a new process does."""
    with _AT_WORK:
        _HELD.clear()
