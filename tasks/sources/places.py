"""Files that a folder is known by, here or behind a URL."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from .files import File, LocalFile, suffix
from .names import is_remote, local_path, printable
from .remote import Remote, address


def find_file(folder: str, names: Sequence[str]) -> File | None:
    """Return the first of these files that a folder has, if it is a folder and has one."""
    look = _fetch if is_remote(folder) else _local
    found = (look(folder, name) for name in names)
    return next((file for file in found if file), None)


def find_files(folder: str, inner: str, ending: str, stems: Iterable[str]) -> list[File]:
    """Return the files of an inner folder with this ending, in order.

    Args:
        folder: A folder, here or behind a URL.
        inner: The folder in it.
        ending: Suffix of the files.
        stems: What they are called where a server does not list its folders.
    """
    if not is_remote(folder):
        found = sorted((local_path(folder) / inner).glob(f"*{ending}"))
        names = [f"{inner}/{file.name}" for file in found]
        return [file for name in names if (file := _local(folder, name))]
    names = Remote(address(folder, inner)).names() or [f"{stem}{ending}" for stem in stems]
    wanted = [f"{inner}/{name}" for name in names if name.endswith(ending)]
    return [file for name in sorted(wanted) if (file := _fetch(folder, name))]


def _local(folder: str, name: str) -> File | None:
    path = local_path(folder) / name
    inside = os.path.realpath(local_path(folder))
    if not path.is_file() or not Path(os.path.realpath(path)).is_relative_to(inside):
        return None  # a link out of the folder is set aside with its other files
    place = printable(f"{folder.rstrip('/')}/{name}")
    return LocalFile(name, place, suffix(name), path, path.stat().st_size)


def _fetch(folder: str, name: str) -> File | None:
    found = Remote(address(folder, name)).file()
    return found and replace(found, document_id=name)
