"""A walk over the docstrings of Python's library, run as a program of its own.

What it finds depends on what the process has imported: packages replace functions of the standard
library, and their docstrings with them. So this file imports nothing but that library, is run by
a fresh interpreter, and writes what it found as JSON lines.
"""

import contextlib
import importlib
import inspect
import io
import json
import os
import pkgutil
import sys
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import NamedTuple

MIN_WORDS = 7  # "Return repr(self)." tells no one anything

# Not documentation people search: test suites, demonstrations, jokes that act on import, code
# tables, implementation halves of public modules, what needs a display (absent on many machines,
# which would make the corpus differ from one to the next), and (last two lines) what PEP 594 and
# its like retired.
SKIPPED = frozenset(
    """
    antigravity encodings ensurepip genericpath idlelib nt ntpath nturl2path posix posixpath
    pydoc_data sre_compile sre_constants sre_parse test this tkinter turtle turtledemo
    aifc asynchat asyncore audioop binhex cgi cgitb chunk crypt distutils imghdr imp lib2to3
    mailcap msilib nis nntplib ossaudiodev pipes smtpd sndhdr spwd sunau telnetlib uu xdrlib
    """.split()  # noqa: SIM905 - as a list it would take fifty lines
)
# Where C code whose name is not simply `_module` is meant to be imported from.
_HOMES = {"_thread": "threading", "_collections_abc": "collections.abc", "genericpath": "os.path"}


class _Entry(NamedTuple):
    """A docstring under one of the names it can be reached by."""

    is_borrowed: bool  # defined elsewhere and only reachable from here
    order: int
    name: str
    module: str
    text: str


class Found(NamedTuple):
    """A docstring, or with a reason what is set aside."""

    name: str
    title: str
    module: str
    text: str
    reason: str = ""


def read_library(package: str = "") -> Iterator[Found]:
    """Read the docstrings of the standard library and the language's help topics.

    One entry per module, class, function, method, and property that has a docstring of its own,
    named as a reader would import it (`os.path.dirname`), and one per topic of
    `pydoc_data.topics` (`topic:with`). A docstring that several names share is read once, under
    the name where it is defined.

    Args:
        package: Read this package alone (`json`), without the topics; empty for everything.
    """
    walk = Walk()
    listed = [package] if package else ["builtins", "os.path", *sorted(sys.stdlib_module_names)]
    for name in listed:
        if package or not (name.startswith("_") or name in SKIPPED):
            walk.module(name)
    for name, reason in walk.rejects:
        yield Found(name, "", "", "", reason)
    told: dict[str, str] = {}
    for entry in sorted(walk.entries):
        reason = ""
        if len(entry.text.split()) < MIN_WORDS:
            reason = f"under {MIN_WORDS} words"
        elif entry.text in told:
            reason = f"same docstring as {told[entry.text]}"
        else:
            told[entry.text] = entry.name
        yield Found(entry.name, entry.name, entry.module, "" if reason else entry.text, reason)
    if not package:
        yield from _topics()


def _topics() -> Iterator[Found]:
    from pydoc_data.topics import topics  # half a megabyte of text, wanted here alone

    for name, text in sorted(topics.items()):
        heading = text.lstrip().split("\n", 1)[0].replace('"', "")
        yield Found(f"topic:{name}", heading, "topics", text.strip())


class Walk:
    """A walk over the library that gathers every docstring and what could not be read."""

    def __init__(self) -> None:
        self.entries: list[_Entry] = []
        self.rejects: list[tuple[str, str]] = []
        self._met: set[int] = set()

    def module(self, name: str) -> None:
        """Gather a module and the submodules below it."""
        try:
            with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                module = importlib.import_module(name)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a platform's missing half
            reason = f"cannot be imported here: {type(error).__name__}: {error}"
            self.rejects.append((name, reason))
            return
        if id(module) in self._met:
            return
        self._met.add(id(module))
        self._gather(name, module, name, is_borrowed=False)
        children = _submodules(module)
        # str before bytes and bytearray: of a docstring they share, people want the first
        for key in sorted(vars(module), key=lambda key: (key.startswith("byte"), key)):
            value = vars(module)[key]
            # a submodule takes the place of what has its name as soon as anyone imports it
            is_told = not key.startswith("_") and key not in children
            if is_told and (inspect.isclass(value) or inspect.isroutine(value)):
                self._member(key if name == "builtins" else f"{name}.{key}", value, name)
        for child in children:
            if not child.startswith("_") and child not in {"test", "tests"}:
                self.module(f"{name}.{child}")

    def _member(self, name: str, value: object, module: str) -> None:
        is_borrowed = not _is_home(module, getattr(value, "__module__", None))
        self._gather(name, value, module, is_borrowed=is_borrowed)
        if not inspect.isclass(value):
            return
        for key, raw in sorted(vars(value).items()):
            member = raw.__func__ if isinstance(raw, staticmethod | classmethod) else raw
            is_told = inspect.isroutine(member) or isinstance(member, property)
            if not key.startswith("_") and is_told:
                self._gather(f"{name}.{key}", member, module, is_borrowed=is_borrowed)

    def _gather(self, name: str, value: object, module: str, *, is_borrowed: bool) -> None:
        doc = getattr(value, "__doc__", None)
        if isinstance(doc, str) and doc.strip():
            text = inspect.cleandoc(doc)
            self.entries.append(_Entry(is_borrowed, len(self.entries), name, module, text))


def _submodules(module: ModuleType) -> list[str]:
    return sorted(info.name for info in pkgutil.iter_modules(getattr(module, "__path__", [])))


def _is_home(module: str, owner: str | None) -> bool:
    """Tell whether what `owner` defines is meant to be imported from `module`.

    >>> _is_home("io", "_io"), _is_home("csv", "_io"), _is_home("os", "posix")
    (True, False, True)
    """
    if module == "builtins" or owner == module:
        return True
    if module in {"os", "os.path"}:  # two faces of the platform's own modules
        return owner in {"posix", "nt", "posixpath", "ntpath", "genericpath"}
    return owner is not None and _HOMES.get(owner, owner.lstrip("_")) == module


def main() -> None:
    """Write what is found to standard output; what modules print on import goes elsewhere."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    package, sys.path[:] = sys.argv[1], json.loads(sys.argv[2])
    with out:
        for found in read_library(package):
            out.write(json.dumps(found) + "\n")
        out.flush()
    os._exit(0)  # a module may have left threads, or prints a farewell


if __name__ == "__main__":
    main()
