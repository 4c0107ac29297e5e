"""Files as a source: a folder with all below it, a glob, or one file."""

import glob
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..contracts import BurnishError, fingerprint
from ..core.text import Document, Page, Reject, Section
from .beir import has_judgments
from .files import field, hash_file, read_lines, read_text

KINDS = (".md", ".markdown", ".txt", ".html", ".htm", ".rst", ".jsonl")
SKIPPED = {"__pycache__", "node_modules"}  # and whatever begins with a dot


@dataclass(frozen=True)
class Folder:
    """Files of the kinds that are read. Ids are paths relative to the folder.

    Hidden files, `__pycache__`, and `node_modules` are passed over in silence; every other file
    that is not read is set aside with its reason. So are links that lead out of the folder.
    """

    name: str

    def __post_init__(self) -> None:
        """Check that there is something to read."""
        if not any(not isinstance(found, Reject) for found in self._find()):
            raise BurnishError(f"{self._why_nothing()} Files that are read: {', '.join(KINDS)}.")

    def fingerprint(self) -> str:
        """Hash names and contents of the files that are read; the others decide nothing."""
        files = [found for found in self._find() if not isinstance(found, Reject)]
        return fingerprint(sorted([identifier, _hash(file)] for identifier, file in files))

    def read(self) -> Iterator[Document | Page | Reject]:
        """Yield a page per file, of `.jsonl` a document per line, in the order of their paths."""
        for found in self._find():
            if isinstance(found, Reject):
                yield found
                continue
            identifier, file = found
            place = self._place(identifier)
            try:
                if file.suffix.lower() == ".jsonl":
                    yield from _read_jsonl(file, identifier, place)
                else:
                    yield _read_file(file, identifier, place)
            except OSError as error:
                yield Reject(identifier, place, f"unreadable: {error.strerror}")

    def _find(self) -> Iterator[tuple[str, Path] | Reject]:
        root, paths = self._paths()
        inside = root.resolve()
        judged = has_judgments(root)
        for path in paths:
            identifier = path.relative_to(root).as_posix()
            if judged and path.relative_to(root).parts[0] in {"queries.jsonl", "qrels"}:
                continue
            reason = _why_not(path, inside)
            if reason:
                yield Reject(identifier, self._place(identifier), reason)
            else:
                yield identifier, path

    def _root(self) -> Path:
        """Return the folder that ids are relative to, as the source names it."""
        path = Path(self.name)
        if path.expanduser().is_dir():
            return path
        if path.expanduser().is_file():
            return path.parent
        magic = [number for number, part in enumerate(path.parts) if glob.has_magic(part)]
        return Path(*path.parts[: magic[0]]) if magic else path.parent

    def _paths(self) -> tuple[Path, list[Path]]:
        """Return the root, and all paths to look at in order."""
        path, root = Path(self.name).expanduser(), self._root().expanduser()
        if path.is_dir():
            return root, list(_walk(path))
        if path.is_file() or not glob.has_magic(self.name):
            return root, [path] if path.is_file() else []
        pattern = str(path.relative_to(root))
        # Path.glob would match hidden files and, up to 3.12, not enter what `**` ends with.
        found = sorted(glob.glob(pattern, root_dir=root, recursive=True))  # noqa: PTH207
        return root, [root / name for name in found if not (root / name).is_dir()]

    def _place(self, identifier: str) -> str:
        return (self._root() / identifier).as_posix()

    def _why_nothing(self) -> str:
        path = Path(self.name).expanduser()
        if path.is_dir():
            return f"The folder {self.name} holds no file that is read as documents."
        if path.is_file():
            return f"The file {self.name} is of a kind that is not read."
        if glob.has_magic(self.name):
            return f"No file that is read matches {self.name}. Check the pattern."
        return f"There is no file or folder {self.name}. Check the path (from {Path.cwd()})."


def _walk(folder: Path) -> Iterator[Path]:
    """Yield every file below, and every link to a folder, which is not entered."""
    try:
        entries = sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError:
        yield folder  # to be set aside by name
        return
    for path in entries:
        if path.name.startswith(".") or path.name in SKIPPED:
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)
        else:
            yield path


def _why_not(path: Path, inside: Path) -> str:
    """Say why a path is not read; empty if it is."""
    if path.is_symlink():
        if not path.exists():
            return "broken link"
        if not path.resolve().is_relative_to(inside):
            return "link out of the folder"
    if path.is_dir():
        return "link to a folder" if path.is_symlink() else "unreadable: folder cannot be entered"
    if path.suffix.lower() not in KINDS:
        return f"kind not read: {path.suffix.lower() or 'no suffix'}"
    return "" if path.is_file() else "not a regular file"


def _hash(file: Path) -> str:
    try:
        return hash_file(file)
    except OSError as error:
        return f"unreadable: {error.strerror}"


def _read_file(file: Path, identifier: str, place: str) -> Page | Reject:
    try:
        text = read_text(file)
    except ValueError as error:
        return Reject(identifier, place, str(error))
    title = " ".join(file.stem.replace("_", " ").replace("-", " ").split())
    return Page(identifier, title, file.suffix.lower(), text, place)


def _read_jsonl(file: Path, identifier: str, place: str) -> Iterator[Document | Reject]:
    for item in read_lines(file, place):
        if isinstance(item, Reject):
            yield Reject(f"{identifier}:{item.source.rpartition(':')[2]}", item.source, item.reason)
            continue
        number, value = item
        name = f"{identifier}:{field(value, 'id', '_id') or number}"
        text, title = field(value, "text", "contents", "body"), field(value, "title").strip()
        if not text and not title:
            yield Reject(name, f"{place}:{number}", "no text: `text`, `contents`, `body` are blank")
        else:
            yield Document(name, title, (Section("", text or title, f"line {number}"),), place)
