"""What a stage gave once, on any machine: looked for in the store before, put there after."""

import functools
import inspect
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from .contracts import Manifest, writable
from .store import Store, find_store

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")


def ready_store(root: Path) -> None:
    """See that the store can be used, before a run makes anything; take over what it remembers.

    Raises:
        BurnishError: it cannot be used.
    """
    from .sources.listing import DOUBT

    store = find_store()
    if store is None:
        return
    store.check()
    doubt = store.read(DOUBT.as_posix())
    if doubt is not None:
        with writable(root):
            (root / DOUBT).parent.mkdir(parents=True, exist_ok=True)
            (root / DOUBT).write_bytes(doubt)


def share(fn: Callable[P, R], name_key: Callable[[dict[str, Any]], str]) -> Callable[P, R]:
    """Have a stage's function look in the store first, and put there what it makes.

    Nothing else is done without a store, outside of a Prefect run, and where a run was told to
    refresh. The noun is stored before what the stage gave is: who finds that, finds the noun.

    Args:
        fn: Takes nouns and settings, returns a noun.
        name_key: Returns the hash of the arguments and of the code, the same on every machine.
    """
    kind = inspect.signature(fn).return_annotation

    @functools.wraps(fn)
    def shared(*args: P.args, **kwargs: P.kwargs) -> R:
        from prefect.transactions import get_transaction

        store, transaction = find_store(), get_transaction()
        if store is None or transaction is None:
            return fn(*args, **kwargs)
        bound = inspect.signature(fn).bind(*args, **kwargs)
        bound.apply_defaults()
        key = name_key(bound.arguments)
        root = next(one.root for one in bound.arguments.values() if isinstance(one, Manifest))
        unsent = root / "unfinished" / f"unsent-{key}.json"
        made = None if getattr(transaction, "overwrite", False) else (
            _find(store, kind, key, root, unsent))  # fmt: skip
        if made is None:
            made = fn(*args, **kwargs)
            with writable(root):  # a run that ends while it stores need not make it again
                unsent.parent.mkdir(parents=True, exist_ok=True)
                unsent.write_text(_write(made))
        _store(store, made, key)
        unsent.unlink(missing_ok=True)
        return made

    return shared


def _find(store: Store, kind: type[Manifest], key: str, root: Path, unsent: Path) -> Any:  # noqa: ANN401
    """Return what the stage gave before, here or elsewhere; None if it has to be made."""
    for content in (unsent.read_bytes() if unsent.exists() else None,
                    store.read(f"results/{key}.json")):  # fmt: skip
        try:
            known = json.loads(content or b"{}")
        except ValueError:  # cut short by a kill
            continue
        if not known:
            continue
        noun = store.fetch(kind, known["fingerprint"], root)
        if noun is not None:
            logger.info("%s %s is taken from %s", kind.__name__, noun.fingerprint, store.shown)
            return noun.model_copy(update={"facts": known["facts"]})
    return None


def _store(store: Store, made: Any, key: str) -> None:  # noqa: ANN401 - a stage's noun
    from .sources.listing import DOUBT  # whose package imports the stages

    store.put(made)
    doubt = made.root / DOUBT
    if doubt.exists() and store.read(DOUBT.as_posix()) != doubt.read_bytes():
        store.write(DOUBT.as_posix(), doubt.read_bytes())
    store.write(f"results/{key}.json", _write(made).encode())


def _write(made: Any) -> str:  # noqa: ANN401 - a stage's noun
    return json.dumps({"fingerprint": made.fingerprint, "facts": made.facts})
