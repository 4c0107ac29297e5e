"""Sources: files to make, and a reader of all that is behind a name."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.core.text import Document
from tasks.sources import list_sources, read_documents

Read = Callable[..., tuple[dict[str, Document], dict[str, str]]]
Fill = Callable[[dict[str, str | bytes]], str]


@pytest.fixture
def fill(tmp_path: Path) -> Fill:
    """Write files below a folder, and return its name."""

    def fill(files: dict[str, str | bytes]) -> str:
        for name, content in files.items():
            path = tmp_path / "docs" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return (tmp_path / "docs").as_posix()

    return fill


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read a source; return its documents and the reasons of what was set aside, both by id."""

    def read(name: str, most: int = 1_000_000) -> tuple[dict[str, Document], dict[str, str]]:
        listing = list_sources([name], max_file_bytes=most)
        documents, rejects, _ = read_documents(listing, tmp_path / "root")
        return {d.document_id: d for d in documents}, {r.document_id: r.reason for r in rejects}

    return read
