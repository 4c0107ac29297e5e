"""Engines: where heavy item-wise work runs, in this process or on the nodes of Ray or Dask.

One setting, `BURNISH_ENGINE`, says which. Parts go through Prefect's task runner of that engine,
so each is a task run in the UI; results come back in order and are written by this process alone.
"""

import logging
import os
import re
import socket
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple, TypeVar

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext
from prefect.futures import PrefectFuture

from .contracts import BurnishError, fingerprint
from .runners import Engine, Nodes, is_lost, open_nodes
from .stage import fingerprint_code

logger = logging.getLogger(__name__)

VARIABLE = "BURNISH_ENGINE"
AHEAD = 2  # parts in flight per place: one at work, one at hand when it is done
# What is allowed, and what is left of it: the engine and its address.
_FORMS = {
    r"(ray|dask)": r"\1 ",
    r"(ray)(://.+:\d+)": r"\1 \1\2",
    r"(ray):([^/]+:\d+)": r"\1 \2",
    r"(dask):((?:tcp|tls)://.+:\d+)": r"\1 \2",
}

Result = TypeVar("Result")


class Done(NamedTuple):
    """What came of a part, and which node or process did it."""

    where: str
    result: Any


def find_engine() -> Engine | None:
    """Return the engine that the environment names; None if work is to stay in this process.

    Work stays here outside a flow run too: a task runner reports to the run it belongs to.

    Raises:
        BurnishError: the variable says nothing known.
    """
    engine = read_engine(os.environ.get(VARIABLE, "here"))
    return engine if FlowRunContext.get() is not None else None


def read_engine(name: str) -> Engine | None:
    """Read the setting.

    >>> read_engine("ray:10.0.0.5:6379")
    Engine(kind='ray', address='10.0.0.5:6379')
    >>> read_engine("ray://head:10001").address, read_engine("here")
    ('ray://head:10001', None)

    Raises:
        BurnishError: it is not among what is allowed.
    """
    if name in {"", "here"}:
        return None
    for form, parts in _FORMS.items():
        match = re.fullmatch(form, name)
        if match:
            kind, address = match.expand(parts).split(" ")
            return Engine("ray" if kind == "ray" else "dask", address)
    raise BurnishError(
        f"{VARIABLE} is {name!r}. Set it to here (this process), ray or dask (processes on this "
        "machine), ray://HOST:10001 (a Ray cluster, from outside it), ray:HOST:6379 (a Ray cluster "
        "that this machine belongs to), or dask:tcp://HOST:8786 (a Dask scheduler)."
    )


def spread(
    engine: Engine,
    work: Callable[..., Result],
    parts: Iterable[tuple[Any, ...]],
    *,
    what: str,
    libraries: Sequence[str],
    uses_model: bool = False,
    shared: Callable[[], Any] | None = None,
) -> Iterator[Result]:
    """Do a pure function over parts on an engine's nodes; yield the results in order.

    A part whose node dies is done again by the engine. Only so many parts are taken from `parts`
    as are in flight, so that neither they nor their results pile up.

    Args:
        engine: From `find_engine`.
        work: A function of a module. Its module and `libraries` must be the same on the nodes.
        parts: Arguments of `work`, part by part.
        what: What is done, for Prefect and the log.
        libraries: Installed packages that decide the result.
        uses_model: Whether a part wants several cores, or a GPU where nodes have any.
        shared: Gives what `work` is told as its last argument; it is asked for, and sent to each
            node once, only where nodes may be other machines. Else that argument is None.

    Raises:
        BurnishError: nodes lack the code, a library, or the way to Prefect's server; or a part was
            lost again and again.
    """
    nodes = open_nodes(engine, uses_model=uses_model)
    packed = nodes.share(shared()) if shared is not None and engine.address else None
    stamp = stamp_code(work.__module__, tuple(libraries))
    run = Task(
        _do, name=what, cache_policy=NO_CACHE, persist_result=False,
        task_run_name=f"{what} {{number}}",
    )  # fmt: skip
    waiting: deque[PrefectFuture[Any]] = deque()
    done: Counter[str] = Counter()
    for number, part in enumerate(parts, 1):
        if len(waiting) >= AHEAD * nodes.places:
            yield _collect(waiting.popleft(), nodes, what, done)
        sent = {"work": work, "part": part, "packed": packed, "libraries": tuple(libraries)}
        waiting.append(nodes.submit(run, {"number": number, "stamp": stamp, **sent}))
    while waiting:
        yield _collect(waiting.popleft(), nodes, what, done)
    logger.info("%s: parts by node of %s: %s", what, engine.kind, dict(sorted(done.items())))


@cache
def stamp_code(module: str, libraries: Sequence[str]) -> str:
    """Hash the code and the versions that decide what a module's functions return.

    What follows a `+` in a version is how it was built: a node with a GPU may have another build.
    """
    versions = {name: _find_version(name).partition("+")[0] for name in libraries}
    return fingerprint(fingerprint_code(module), versions)


def _find_version(library: str) -> str:
    """Return the version of a library; nothing for one that is not there."""
    try:
        return version(library)
    except PackageNotFoundError:
        return ""


def _do(
    number: int,
    stamp: str,
    work: Callable[..., Any],
    part: tuple[Any, ...],
    packed: object,
    libraries: tuple[str, ...],
) -> Done:
    """Do one part, on a node."""
    where = _name_node()
    if stamp_code(work.__module__, libraries) != stamp:
        raise BurnishError(
            f"Node {where} has another version of Burnish, or of one of {', '.join(libraries)}, "
            "than the process that runs the flow: results would differ. Start all nodes from the "
            "same image or environment."
        )
    return Done(where, work(*part, packed))


def _name_node() -> str:
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        return str(ray.get_runtime_context().get_node_id())[:8]
    return f"{socket.gethostname()}:{os.getpid()}"


def _collect(future: PrefectFuture[Any], nodes: Nodes, what: str, done: Counter[str]) -> Any:  # noqa: ANN401
    try:
        found: Done = future.result()
    except Exception as error:
        if is_lost(error):
            raise BurnishError(
                f"A part of {what!r} was lost {nodes.tries} times with the node or process it ran "
                f"on ({type(error).__name__}). Most likely nodes have too little memory: give them "
                "more, or fewer places each. What was finished is kept."
            ) from error
        raise
    done[found.where] += 1
    return found.result
