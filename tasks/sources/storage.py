"""Storages that fsspec opens: listing what is there, and trying again what a network loses."""

import lzma
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from ..contracts import BurnishError, fingerprint
from .files import suffix, why_unreadable
from .folder import is_hidden, why_not_kind
from .names import printable

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

TRIES = 3
WAIT_SECONDS = 0.5  # before the second try; doubled before the third
THREADS = 16  # asking for what a listing does not tell, one request per file

# What storages call a hash of the content, and what changes with it at one address.
_CHECKSUMS = ("sha256", "md5Hash", "blob_id", "Content-MD5", "content_md5", "Digest")
_VERSIONS = ("ETag", "etag", "crc32c", "version_id", "generation")
_TIMES = (
    "LastModified",
    "last_modified",
    "Last-Modified",
    "updated",
    "mtime",
    "modified",
    "created",
)

# What a file inside an archive may be: damaged, or compressed by a method unknown.
_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError)

T = TypeVar("T")


def open_storage(name: str) -> tuple["AbstractFileSystem", str]:
    """Return the storage behind a URL, and the path in it.

    Raises:
        BurnishError: the kind of URL is unknown, its driver is not installed, or it is wrong.
    """
    from fsspec.core import url_to_fs

    try:
        storage, path = url_to_fs(name)
    except ImportError as error:
        raise BurnishError(
            f"The source {name} needs a driver that is not installed: {error} (with pip)."
        ) from error
    except Exception as error:
        raise BurnishError(
            f"The source {printable(name)} cannot be opened: {type(error).__name__}: {error}. "
            "Check the address and the credentials, or copy what lies there into a folder."
        ) from error
    storage.invalidate_cache()  # a process that lives long would see the first listing for ever
    is_folder = name.partition("::")[0].endswith("/") and not path.endswith("/")
    return storage, f"{path}/" if is_folder and path.startswith("http") else path


def attempt(read: Callable[[], T], place: str) -> T:
    """Do what a network may fail to do, thrice.

    A file that is gone or closed to us costs itself alone. A storage that does not answer ends the
    run: a corpus without the documents that were not to be had would be taken for the whole one.

    Raises:
        OSError: there is no such file, or it may not be read.
        BurnishError: the storage does not answer.
    """
    for number in range(TRIES):
        try:
            return read()
        except (FileNotFoundError, PermissionError, IsADirectoryError):
            raise
        except Exception as error:
            if damage := _damage(error):
                raise PermissionError(0, f"{damage} in its archive: {error}") from error
            problem = error
            status = getattr(error, "status", 0)  # of HTTP; 408 and 429 ask to try again
            if 400 <= status < 500 and status not in {408, 429}:
                raise PermissionError(status, f"the server answers {status}") from error
            if number + 1 < TRIES:
                time.sleep(WAIT_SECONDS * 2**number)
    if isinstance(problem, EOFError) and "::" in place:  # elsewhere a connection that was lost
        raise PermissionError(0, "damaged in its archive: cut short") from problem
    raise BurnishError(
        f"{printable(place)} could not be read: {type(problem).__name__}: {problem}. Start again "
        "when the storage answers; what was read is kept."
    ) from problem


def _damage(error: Exception) -> str:
    """Say what is wrong with a file inside an archive, and stays so; empty for what may pass."""
    if isinstance(error, _DAMAGE):
        return "damaged"
    is_locked = isinstance(error, RuntimeError) and "password required" in str(error)  # zipfile's
    return "encrypted" if is_locked else ""


def relative_to(path: str, root: str) -> str:
    """Return a path of a storage as it is below a root.

    >>> relative_to("team/docs/a.md", "team/docs/")
    'a.md'
    """
    return path.removeprefix(root.rstrip("/")).lstrip("/")


def walk(
    storage: "AbstractFileSystem", root: str, depth: int | None, name: str
) -> Iterator[dict[str, Any]]:
    """Yield what is known of every file below, in the order of their paths.

    Not `find`, which leaves out in silence what it cannot list.
    """
    waiting: list[tuple[dict[str, Any], int]] = [({"name": root, "type": "directory"}, 0)]
    while waiting:
        info, level = waiting.pop()
        path = info["name"]
        if info["type"] != "directory":
            yield info
        elif depth is None or level < depth:
            address = f"{path.rstrip('/')}/" if path.startswith("http") else path
            try:
                listed = attempt(lambda at=address: storage.ls(at, detail=True), name)  # type: ignore[misc]
            except OSError as error:
                if level == 0:
                    raise
                yield {**info, "type": "file", "problem": why_unreadable(error)}
                continue
            inside = [entry for entry in listed if _is_below(entry["name"], path)]
            inside.sort(key=lambda entry: str(entry["name"]), reverse=True)
            waiting += [(entry, level + 1) for entry in inside]


def _is_below(path: str, folder: str) -> bool:
    """Tell whether a listed path is a child that is not passed over.

    An object store may list a folder as a file of itself; a web server's page of links has links
    that sort it.
    """
    relative = relative_to(path, folder).rstrip("/")
    return bool(relative) and not relative.startswith("?") and not is_hidden(relative)


def complete_infos(
    storage: "AbstractFileSystem", infos: list[dict[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    """Ask for what the listing of a storage does not tell."""

    def complete(info: dict[str, Any]) -> Mapping[str, Any]:
        path = info["name"]
        is_unread = suffix(path) and why_not_kind(suffix(path))
        if "problem" in info or is_unread or stamp_of(info, ""):
            return info
        try:
            return {**info, **attempt(lambda: storage.info(path), path), "name": path}
        except OSError as error:
            return {**info, "problem": why_unreadable(error)}

    with ThreadPoolExecutor(THREADS) as threads:
        yield from threads.map(complete, infos)


def stamp_of(info: Mapping[str, Any], place: str) -> str:
    """Return what changes with a file's content; empty if the storage tells nothing of the kind."""
    told = {**info, **(info.get("lfs") or {})} if isinstance(info.get("lfs"), dict) else info
    for name in _CHECKSUMS:
        if told.get(name):
            return fingerprint(name, str(told[name]))
    for name in _VERSIONS:
        if told.get(name):
            return fingerprint(place, name, str(told[name]))
    for name in _TIMES:
        if told.get(name) and told.get("size") is not None:
            return fingerprint(place, told["size"], str(told[name]))
    return ""
