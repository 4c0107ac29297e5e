"""The store: a bucket, or any place that fsspec opens, that holds what is finished for all."""

import contextlib
import errno
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TypeVar

from .contracts import SIGNATURE, BurnishError, Manifest

VARIABLE = "BURNISH_STORE"
MARK = "burnish.json"  # written at the start of every run, to see that it can be
WAIT_SECONDS = (1.0, 5.0, 30.0, 120.0)  # between tries; what took hours to make is worth them
SOON_SECONDS = (0.5, 1.0)  # at the start of a run, where a person waits
# Where a folder is a part of a name: an object appears whole, or not at all.
_BUCKETS = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "memory"}

_FULL = {errno.ENOSPC, errno.EDQUOT}

T = TypeVar("T")
M = TypeVar("M", bound=Manifest)


def find_store() -> "Store | None":
    """Return the store that the environment names; None if it names none.

    Raises:
        BurnishError: the address is wrong, or its driver is not installed.
    """
    url = os.environ.get(VARIABLE, "").strip()
    return _open(url) if url else None


@contextlib.contextmanager
def without_store() -> Iterator[None]:
    """Make what is made here from nothing, whatever the store holds."""
    given = os.environ.pop(VARIABLE, None)
    try:
        yield
    finally:
        if given is not None:
            os.environ[VARIABLE] = given


class Store:
    """What is finished: nouns, what stages gave, and what is remembered between runs."""

    def __init__(self, url: str) -> None:
        """Open a store; nothing is asked of it yet.

        Raises:
            BurnishError: the address is wrong, or its driver is not installed.
        """
        from fsspec.core import url_to_fs

        from .sources.names import check_secrets

        check_secrets(url)
        self.shown = url.rstrip("/")
        try:
            self._files, place = url_to_fs(self.shown, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise BurnishError(
                f"{VARIABLE} is {url}, which cannot be opened: {error}. Give the URL of a folder "
                "that fsspec knows, as s3://bucket/folder (with .[s3]) or file:///mnt/team."
            ) from error
        self._place = place.rstrip("/")
        names = self._files.protocol
        self._is_bucket = bool(_BUCKETS & ({names} if isinstance(names, str) else set(names)))

    def check(self) -> None:
        """See that it can be written, before anything is made.

        Raises:
            BurnishError: it is not there, does not answer, or does not let us in.
        """
        self._attempt(lambda: self._put(MARK, b'{"format": 1}'), SOON_SECONDS)

    def read(self, name: str) -> bytes | None:
        """Return what is stored under a name; None if nothing is."""
        try:
            found: bytes = self._attempt(lambda: self._files.cat_file(f"{self._place}/{name}"))
        except FileNotFoundError:
            return None
        return found

    def write(self, name: str, content: bytes) -> None:
        """Store a few bytes under a name, whole or not at all."""
        self._attempt(lambda: self._put(name, content))

    def put(self, noun: Manifest) -> None:
        """Store a noun, its signature last: what has none is not there for anybody."""
        place = _name(type(noun), noun.fingerprint)
        if self._is_signed(place, noun.fingerprint):
            return
        for file in sorted(path for path in noun.path.rglob("*") if path.is_file()):
            if file.name != SIGNATURE:
                self._send(file, f"{place}/{file.relative_to(noun.path).as_posix()}")
        self.write(f"{place}/{SIGNATURE}", (noun.path / SIGNATURE).read_bytes())

    def fetch(self, kind: type[M], fingerprint: str, root: Path) -> M | None:
        """Return a noun, fetched if it is not below the root; None if the store lacks it.

        What arrives is hashed before it gets its name. A damaged one loses its signature, so that
        it is made and stored anew.
        """
        place = _name(kind, fingerprint)
        if (root / place / SIGNATURE).exists():
            return kind.open(root / place)
        if not self._is_signed(place, fingerprint):
            return None
        made = kind.take_in(root, fingerprint, lambda folder: self._receive(place, folder))
        if made is None:
            self._attempt(lambda: self._files.rm_file(f"{self._place}/{place}/{SIGNATURE}"))
        return made

    def _is_signed(self, place: str, fingerprint: str) -> bool:
        try:
            signed = json.loads(self.read(f"{place}/{SIGNATURE}") or b"{}")
        except ValueError:
            return False
        return bool(signed.get("fingerprint") == fingerprint)

    def _receive(self, place: str, folder: Path) -> None:
        base = f"{self._place}/{place}"
        for path in self._attempt(lambda: self._files.find(base)):
            target = folder / str(path).rpartition(f"{place}/")[2]
            if not target.resolve().is_relative_to(folder.resolve()):
                raise BurnishError(f"{self.shown}/{place} holds a file outside of it: {path}.")
            target.parent.mkdir(parents=True, exist_ok=True)
            self._attempt(lambda at=path, to=target: self._files.get_file(at, str(to)))  # type: ignore[misc]

    def _send(self, file: Path, name: str) -> None:
        def send() -> None:
            target = self._prepare(name)
            self._files.put_file(str(file), target)

        self._attempt(send)

    def _put(self, name: str, content: bytes) -> None:
        target = self._prepare(name)
        if self._is_bucket:
            self._files.pipe_file(target, content)
            return
        part = f"{target}.{uuid.uuid4().hex}.part"
        self._files.pipe_file(part, content)
        self._files.mv(part, target)

    def _prepare(self, name: str) -> str:
        target = f"{self._place}/{name}"
        if not self._is_bucket:
            self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
        return target

    def _attempt(self, do: Callable[[], T], waits: tuple[float, ...] = WAIT_SECONDS) -> T:
        """Do what a network may fail to do, with growing pauses.

        Raises:
            FileNotFoundError: there is nothing of that name; in a write, no such bucket.
            BurnishError: the store does not answer, or does not let us in.
        """
        for wait in (*waits, None):
            try:
                return do()
            except FileNotFoundError as error:
                if self._is_bucket and "bucket" in str(error).lower():
                    raise self._explain(error) from error
                raise
            except BurnishError:
                raise
            except Exception as error:
                if getattr(error, "errno", None) in _FULL:
                    raise  # this machine's disk, not the store
                if wait is None or _lasts(error):
                    raise self._explain(error) from error
            time.sleep(wait)
        raise AssertionError("unreachable")

    def _explain(self, error: Exception) -> BurnishError:
        return BurnishError(
            f"The store {self.shown} ({VARIABLE}) cannot be used: {type(error).__name__}: {error}. "
            "See that it is there, that it can be reached from here, and that the credentials in "
            "the environment (of S3: AWS_…) may read and write it; then start again: what was "
            "finished is kept on this machine and stored then."
        )


@cache
def _open(url: str) -> Store:
    return Store(url)


def _name(kind: type[Manifest], fingerprint: str) -> str:
    return f"{kind.__name__.lower()}/{fingerprint}"


def _lasts(error: Exception) -> bool:
    """Tell whether an error will be there at the next try too."""
    is_wrong = isinstance(error, PermissionError | ValueError | TypeError | ImportError)
    return is_wrong or "Credential" in type(error).__name__
