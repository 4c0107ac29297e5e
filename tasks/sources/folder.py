"""Files of this machine as a source: a folder with all below it, a glob, or one file."""

import glob
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..contracts import BurnishError
from ..core.text import Reject
from .files import LocalFile, suffix, too_large
from .names import local_path, printable
from .parse import KINDS
from .rows import TABLES

SKIPPED = frozenset({"__pycache__", "node_modules"})  # and whatever begins with a dot


@dataclass(frozen=True)
class Folder:
    """Files of the kinds that are read. Ids are paths relative to the folder.

    Hidden files, `__pycache__`, and `node_modules` are passed over in silence; every other file
    that is not read is set aside with its reason. So are links that lead out of the folder.
    """

    name: str

    def find(self, most: int) -> Iterator[LocalFile | Reject]:
        """Yield the files in the order of their paths; pages of over `most` bytes are set aside."""
        shown = self._root().as_posix()
        root = self._root().expanduser()
        inside, prefix = os.path.realpath(root), "" if shown == "." else f"{shown.rstrip('/')}/"
        for relative in self._paths(root):
            identifier, place = printable(relative) or ".", printable(prefix + relative)
            path = root / relative
            found = _check(path, inside, most)
            if isinstance(found, str):
                yield Reject(identifier, place, found)
            else:
                yield LocalFile(identifier, place, suffix(relative), path, found)

    def why_nothing(self) -> str:
        """Say why there is nothing to read."""
        name, path = printable(self.name), local_path(self.name)
        if path.is_dir():
            return f"The folder {name} holds no file that is read as documents."
        if path.is_file():
            return f"The file {name} is of a kind that is not read."
        if glob.has_magic(self.name):
            return f"No file that is read matches {name}. Check the pattern."
        return f"There is no file or folder {name}. Check the path (from {Path.cwd()})."

    def _root(self) -> Path:
        """Return the folder that ids are relative to, as the source names it."""
        path = Path(re.sub(r"^(?:file|local)://", "", self.name))
        if path.expanduser().is_dir():
            return path
        if path.expanduser().is_file():
            return path.parent
        magic = [number for number, part in enumerate(path.parts) if glob.has_magic(part)]
        return Path(*path.parts[: magic[0]]) if magic else path.parent

    def _paths(self, root: Path) -> Iterator[str]:
        """Return all paths below the root to look at, in order."""
        path = local_path(self.name)
        if path.is_dir():
            return _walk(root)
        if path.is_file() or not glob.has_magic(self.name):
            return iter([path.name] if path.is_file() else [])
        pattern = path.relative_to(root).as_posix()
        # not glob.glob: it follows links, two of which to their own folder never end
        depth = None if "**" in pattern else pattern.count("/") + 1
        return filter(match_pattern(pattern, self.name), _walk(root, depth))


def match_pattern(pattern: str, name: str) -> Callable[[str], bool]:
    """Return what tells whether a path relative to the root matches a glob.

    `**` stands for any folders, all else for a part of one name.

    Raises:
        BurnishError: the pattern means nothing.
    """
    from fsspec.utils import glob_translate

    try:
        expression = re.compile(glob_translate(pattern))
    except ValueError as error:
        raise BurnishError(f"The pattern {printable(name)} cannot be read: {error}.") from error
    return lambda path: expression.match(path) is not None


def is_hidden(name: str) -> bool:
    """Tell whether a file or a folder of this name is passed over."""
    return name.startswith(".") or name in SKIPPED


def why_not_kind(kind: str) -> str:
    """Say that a kind of file is not read; empty if it is."""
    is_read = kind in KINDS or kind in TABLES
    return "" if is_read else f"kind not read: {printable(kind) or 'no suffix'}"


def _walk(root: Path, depth: int | None = None) -> Iterator[str]:
    """Yield every file below, and every link to a folder, which is not entered.

    A folder that cannot be entered is yielded itself, to be set aside by name.
    """
    waiting = [("", 0, True)]
    while waiting:
        path, level, is_folder = waiting.pop()
        if not is_folder:
            yield path
        elif depth is None or level < depth:
            prefix = f"{path}/" if path else ""
            try:
                with os.scandir(root / path) as found:
                    entries = sorted(found, key=lambda entry: entry.name, reverse=True)
                waiting += [
                    (prefix + entry.name, level + 1, entry.is_dir(follow_symlinks=False))
                    for entry in entries
                    if not is_hidden(entry.name)
                ]
            except OSError:
                yield path


def _check(path: Path, inside: str, most: int) -> int | str:
    """Return a file's size, or the reason why it is not read."""
    try:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            if not path.exists():
                return "broken link"
            if not Path(os.path.realpath(path)).is_relative_to(inside):
                return "link out of the folder"
            if path.is_dir():
                return "link to a folder"
            status = path.stat()
    except (OSError, RuntimeError) as error:
        return f"unreadable: {getattr(error, 'strerror', None) or error}"
    return _why_not(suffix(path.name), status, most) or status.st_size


def _why_not(kind: str, status: os.stat_result, most: int) -> str:
    if stat.S_ISDIR(status.st_mode):
        return "unreadable: folder cannot be entered"
    if reason := why_not_kind(kind):
        return reason
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file"
    is_large = status.st_size > most and kind not in TABLES
    return too_large(status.st_size, most) if is_large else ""
