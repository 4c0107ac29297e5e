"""Files anywhere else as a source: any URL that fsspec opens (`s3://`, `gs://`, `https://`, …)."""

import hashlib
import posixpath
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from mimetypes import guess_extension
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

from ..contracts import BurnishError
from ..core.text import Reject
from ..parsers.kinds import HTML
from .files import LocalFile, suffix, too_large, why_unreadable
from .folder import match_pattern, why_not_kind
from .inventory import Inventory
from .names import printable
from .rows import TABLES
from .storage import attempt, complete_infos, open_storage, relative_to, stamp_of, walk

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


@dataclass(frozen=True)
class RemoteFile:
    """A file that a URL stands for. Its stamp changes with its content; it may have none."""

    document_id: str
    place: str
    kind: str
    size: int | None
    stamp: str
    path: str
    storage: "AbstractFileSystem"

    def identify(self, inventory: Inventory) -> str:
        """Return its stamp, or, where the storage tells nothing, the hash of its content."""
        if self.stamp:
            return self.stamp
        if "_content" not in vars(self):
            inventory.hashed += 1
        return self._content

    @cached_property  # for every look at it costs all of it
    def _content(self) -> str:
        return attempt(self._hash, self.place)

    def _hash(self) -> str:
        digest = hashlib.sha256()
        with self.storage.open(self.path, "rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()

    def read(self, most: int) -> bytes:
        """Return its first `most` bytes; what may pass, such as a lost connection, is retried."""

        def read() -> bytes:
            with self.storage.open(self.path, "rb") as stream:
                return cast(bytes, stream.read(most))

        return attempt(read, self.place)

    def nearby(self, inventory: Inventory) -> LocalFile:
        """Copy it once per version."""

        def copy(path: Path) -> None:
            with self.storage.open(self.path, "rb") as stream, path.open("wb") as target:
                shutil.copyfileobj(stream, target, 1 << 20)

        path = inventory.keep(
            "downloads", self.place, self.identify(inventory),
            lambda path: attempt(lambda: copy(path), self.place),
        )  # fmt: skip
        return LocalFile(self.document_id, self.place, self.kind, path, path.stat().st_size)


@dataclass(frozen=True)
class Remote:
    """Files behind a URL: a folder (of the web: ending in `/`), a glob, or one file."""

    name: str

    def find(self, most: int) -> Iterator[RemoteFile | Reject]:
        """Yield the files in the order of their paths; pages of over `most` bytes are set aside."""
        storage, path = open_storage(self.name)
        try:
            root, infos = self._list(storage, path)
        except OSError as error:
            raise BurnishError(
                f"There is nothing to read at {printable(self.name)}: {why_unreadable(error)}. "
                "Check the address and the credentials."
            ) from error
        for info in complete_infos(storage, infos):
            yield self._file(storage, info, root, most)

    def file(self) -> RemoteFile | None:
        """Return the one file of this address; nothing if there is none."""
        storage, path = open_storage(self.name)
        try:
            info = attempt(lambda: storage.info(path), self.name)
        except OSError:
            return None
        is_answer = info.get("mimetype") == "text/html" and suffix(path) not in HTML
        if info["type"] != "file" or is_answer:  # some servers answer anything with a page
            return None
        found = self._file(storage, {**info, "name": path}, posixpath.dirname(path), sys.maxsize)
        return found if isinstance(found, RemoteFile) else None

    def names(self) -> list[str]:
        """Return the names in the folder of this address; none where it cannot be listed."""
        storage, path = open_storage(self.name)
        try:
            listed = attempt(lambda: storage.ls(path, detail=True), self.name)
        except OSError:
            return []
        return [posixpath.basename(info["name"]) for info in listed if info["type"] == "file"]

    def _list(self, storage: "AbstractFileSystem", path: str) -> tuple[str, list[dict[str, Any]]]:
        """Return the root that ids are relative to, and what is known of each file."""
        root, pattern = _split(path)
        if pattern or (path.endswith("/") if path.startswith("http") else storage.isdir(path)):
            matches = match_pattern(pattern, self.name) if pattern else lambda _: True
            depth = None if "**" in pattern or not pattern else pattern.count("/") + 1
            found = walk(storage, root, depth, self.name)
            return root, [info for info in found if matches(relative_to(info["name"], root))]
        return posixpath.dirname(path), [attempt(lambda: storage.info(path), self.name)]

    def why_nothing(self) -> str:
        """Say why there is nothing to read."""
        return f"There is no file that is read as documents at {printable(self.name)}."

    def _file(
        self, storage: "AbstractFileSystem", info: Mapping[str, Any], root: str, most: int
    ) -> RemoteFile | Reject:
        relative = relative_to(info["name"], root)
        place = printable(place_below(self.name, root, relative))
        is_web = info["name"].startswith("http")
        identifier = printable(unquote(relative) if is_web else relative)
        kind = suffix(urlsplit(relative).path if is_web else relative)
        if why_not_kind(kind) and info.get("mimetype"):
            kind = guess_extension(info["mimetype"]) or kind
        size = info.get("size")
        reason = info.get("problem") or why_not_kind(kind)
        if not reason and kind not in TABLES and size is not None and size > most:
            reason = too_large(size, most)
        if reason:
            return Reject(identifier, place, reason)
        return RemoteFile(
            identifier, place, kind, size, stamp_of(info, place), info["name"], storage
        )


def address(folder: str, name: str) -> str:
    """Return the address of a name in a folder.

    >>> address("zip://::s3://team/all.zip", "corpus.jsonl")
    'zip://corpus.jsonl::s3://team/all.zip'
    """
    head, chain, rest = folder.partition("::")
    joint = "" if head.endswith("/") else "/"
    return f"{head}{joint}{name}{chain}{rest}"


def place_below(name: str, root: str, relative: str) -> str:
    """Return the address of what lies below a source's root.

    >>> place_below("s3://team/docs/*.md", "team/docs", "a.md")
    's3://team/docs/a.md'
    >>> place_below("zip://docs::s3://team/all.zip", "docs", "a.md")
    'zip://docs/a.md::s3://team/all.zip'
    """
    head, chain, rest = name.partition("::")
    protocol, mark, _ = head.partition("://")
    if root.startswith(("http://", "https://")):
        return f"{root.rstrip('/')}/{relative}{chain}{rest}"
    parts = [part for part in (root.strip("/"), relative) if part]
    return f"{protocol}{mark or '://'}{'/'.join(parts)}{chain}{rest}"


def _split(path: str) -> tuple[str, str]:
    """Split a path into the folder above its first wildcard, and the pattern below."""
    magic = re.compile(r"[*\[]" if path.startswith("http") else r"[*?\[]")
    parts = path.split("/")
    first = next((number for number, part in enumerate(parts) if magic.search(part)), None)
    if first is None:
        return path.rstrip("/"), ""
    return "/".join(parts[:first]), "/".join(parts[first:])
