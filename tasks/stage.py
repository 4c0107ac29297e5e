"""`@stage`: the only place where a function becomes a Prefect task."""

import ast
import contextlib
import hashlib
import inspect
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec, resolve_name
from pathlib import Path
from types import ModuleType
from typing import Any, ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import CachePolicy
from prefect.context import TaskRunContext
from prefect.utilities.hashing import hash_objects

from .connection import RETRY_SECONDS, is_connection_lost
from .contracts import Manifest, fingerprint, writable
from .shared import share

PACKAGE = __package__ or "tasks"
# What a stage runs under, but what no result depends on. Engines are among it: parts are the same
# on each, and a node whose code is another is refused. So is the store: it keeps what it is given.
_APART = {
    f"{PACKAGE}.{name}"
    for name in (
        "stage",
        "connection",
        "progress",
        "memory",
        "engines",
        "runners",
        "packed",
        "store",
        "shared",
    )
}


@dataclass
class Content(CachePolicy):
    """Key a task by its arguments, and what was made before by its content alone.

    Prefect's own INPUTS hashes the facts of a manifest too: two runs that made the same corpus with
    different work would then train twice.
    """

    def compute_key(
        self,
        task_ctx: TaskRunContext,
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],
        **kwargs: Any,  # noqa: ANN401 - Prefect's signature
    ) -> str | None:
        """Return the hash of the arguments."""
        known = {name: _identify_content(value) for name, value in inputs.items()}
        return hash_objects(known, raise_on_failure=True)


@dataclass
class Code(CachePolicy):
    """Key a task by the code that decides its result.

    That is the stage's module and every module of this package it imports, directly or not, at
    the top or inside a function. Prefect's own TASK_SOURCE hashes the decorated function alone and
    would serve a thin stage stale after an edit in `core/`.
    """

    def compute_key(
        self,
        task_ctx: TaskRunContext,
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],
        **kwargs: Any,  # noqa: ANN401 - Prefect's signature
    ) -> str:
        """Return the hash of the stage's code and of the roots it works in.

        A root that was deleted and made again is another root: what the cache remembers of the old
        one is gone.
        """
        roots = {value.root for value in inputs.values() if isinstance(value, Manifest)}
        identities = [identify(root) for root in sorted(roots)]
        return fingerprint(fingerprint_code(task_ctx.task.fn.__module__), identities)


def _identify_content(value: Any, place: str | None = None) -> Any:  # noqa: ANN401 - any argument
    if isinstance(value, Manifest):
        where = str(value.path) if place is None else place
        return [type(value).__name__, where, value.fingerprint]
    if isinstance(value, list | tuple):
        return [_identify_content(one, place) for one in value]
    return value


P = ParamSpec("P")
R = TypeVar("R")


def stage(fn: Callable[P, R]) -> Task[P, R]:
    """Run `fn` as a task, skipped when its inputs, settings, and code are unchanged.

    It is tried again where a connection broke, and only there: what else goes wrong in a stage
    goes wrong again.
    """
    return task(
        cache_policy=Content() + Code(), persist_result=True, result_serializer="json",
        retries=len(RETRY_SECONDS), retry_delay_seconds=list(RETRY_SECONDS),
        retry_condition_fn=is_connection_lost,
    )(share(fn, partial(name_key, fn)))  # fmt: skip


def name_key(fn: Callable[..., Any], arguments: dict[str, Any]) -> str:
    """Return what a stage's result is stored by: the same wherever the root lies."""
    known = {name: _identify_content(value, "") for name, value in arguments.items()}
    hashed = hash_objects(known, raise_on_failure=True)
    return fingerprint(fn.__module__, fn.__qualname__, fingerprint_code(fn.__module__), hashed)


def identify(root: Path) -> str:
    """Return the identity of a root folder, given to it when it is first used."""
    file = root / "identity"
    with writable(root):
        root.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError), file.open("x") as stream:
            stream.write(uuid.uuid4().hex)
    return file.read_text()


def fingerprint_code(*modules: str | ModuleType) -> str:
    """Hash the source of modules and of all they import from this package."""
    names = {m if isinstance(m, str) else m.__name__ for m in modules}
    digest = hashlib.sha256()
    for name in sorted(_closure(frozenset(names))):
        digest.update(name.encode() + b"\0" + _source(name))
    return digest.hexdigest()[:16]


@cache
def _closure(names: frozenset[str]) -> frozenset[str]:
    found: set[str] = set()
    waiting = sorted(names)
    while waiting:
        name = waiting.pop()
        if name not in found and name not in _APART:
            found.add(name)
            waiting.extend(_imports(name))
    return frozenset(found)


def _imports(name: str) -> set[str]:
    """Name the modules of this package that the module `name` imports."""
    found = set()
    for node in ast.walk(ast.parse(_source(name))):
        if isinstance(node, ast.ImportFrom):
            package = name if _is_package(name) else name.rpartition(".")[0]
            module = resolve_name("." * node.level + (node.module or ""), package)
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    ours = {module for module in found if module.split(".")[0] == PACKAGE}
    return {module for module in ours if _file(module) is not None}


@cache
def _file(name: str) -> Path | None:
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__file__", None):
        return Path(inspect.getfile(loaded))
    try:
        spec = find_spec(name)
    except (ModuleNotFoundError, AttributeError):  # `from .module import function`
        return None
    return Path(spec.origin) if spec and spec.origin else None


def _is_package(name: str) -> bool:
    file = _file(name)
    return file is not None and file.name == "__init__.py"


def _source(name: str) -> bytes:
    file = _file(name)
    if file is None:
        raise LookupError(f"The source of module {name} cannot be found.")
    return file.read_bytes()
