"""Python's own documentation as a source: a real corpus that is on every machine."""

import json
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ..contracts import BurnishError, fingerprint
from ..core.text import Document, Reject, Section
from . import library
from .inventory import Inventory

SOURCE = "pydoc:"
TIMEOUT_SECONDS = 600  # for a package whose import never ends


@dataclass(frozen=True)
class Pydoc:
    """The docstrings of the standard library with the language's help topics, or of one package."""

    package: str = ""

    def __post_init__(self) -> None:
        """Check that the package is there."""
        try:
            found = not self.package or find_spec(self.package) is not None
        except (ImportError, ValueError):
            found = self.package in sys.modules
        if not found:
            raise BurnishError(
                f"The source {SOURCE}{self.package} names no module that can be imported here. "
                f"Install it, correct the name, or use `{SOURCE}` for the standard library."
            )

    def fingerprint(self, inventory: Inventory) -> str:
        """Hash the interpreter, and the source files of a package that may change beside it."""
        python = [platform.python_version(), sys.platform]
        return fingerprint(SOURCE, self.package, python, self._files(inventory))

    def read(self, inventory: Inventory) -> Iterator[Document | Reject]:
        """Yield an entry per module, class, function, and topic."""
        version = fingerprint(
            self.fingerprint(inventory), Path(library.__file__).read_text(encoding="utf-8")
        )
        walked = inventory.keep("pydoc", self.package, version, self._walk)
        with walked.open(encoding="utf-8") as lines:
            for line in lines:
                found = library.Found(*json.loads(line))
                source = f"{SOURCE}{found.module}"
                if found.reason:
                    yield Reject(found.name, source, found.reason)
                else:
                    yield Document(found.name, found.title, (Section("", found.text),), source)

    def _walk(self, file: Path) -> None:
        """Walk the library in a fresh interpreter, where nothing has replaced any of it."""
        program = [sys.executable, "-I", "-X", "utf8", library.__file__]
        with file.open("wb") as out:
            try:
                done = subprocess.run(
                    [*program, self.package, json.dumps(sys.path)],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.PIPE,
                    timeout=TIMEOUT_SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired as error:
                raise BurnishError(
                    f"Reading {SOURCE}{self.package} took over {TIMEOUT_SECONDS} s: importing it "
                    "does not end. Name another package."
                ) from error
        if done.returncode:
            told = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise BurnishError(
                f"Reading {SOURCE}{self.package} failed with status {done.returncode}: "
                f"{' '.join(told)}. Name another package, or mend its import."
            )

    def _files(self, inventory: Inventory) -> list[list[str]]:
        spec = find_spec(self.package) if self.package else None
        if spec is None or self.package.partition(".")[0] in sys.stdlib_module_names:
            return []
        folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
        files = [
            (file.relative_to(folder).as_posix(), file)
            for folder in folders
            for file in folder.rglob("*")
            if file.suffix in {".py", ".pyd", ".so"}
        ]
        if not folders and spec.origin and Path(spec.origin).is_file():
            files = [(Path(spec.origin).name, Path(spec.origin))]
        return sorted([name, inventory.hash(file)] for name, file in files)
