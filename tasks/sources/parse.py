"""Parsing: a page in the form of its file becomes a title and sections."""

from importlib.metadata import version

from ..parsers.isolation import Workers
from ..parsers.kinds import BINARY, KINDS
from ..parsers.outline import Parsed
from ..parsers.reasons import Passing

__all__ = ["BINARY", "KINDS", "LIBRARIES", "Passing", "parse_page"]

# What a parse depends on beside our own code.
LIBRARIES = {
    name: version(name)
    for name in (
        *("beautifulsoup4", "markdown-it-py", "nbformat"),
        *("pypdfium2", "python-docx", "python-pptx", "lxml"),
        *("tree-sitter", "tree-sitter-bash", "tree-sitter-c", "tree-sitter-c-sharp"),
        *("tree-sitter-cpp", "tree-sitter-go", "tree-sitter-java", "tree-sitter-javascript"),
        *("tree-sitter-php", "tree-sitter-python", "tree-sitter-ruby", "tree-sitter-rust"),
        "tree-sitter-typescript",
    )
}

_WORKERS = Workers()


def parse_page(kind: str, content: bytes, title: str) -> Parsed:
    """Parse a page in a process of its own, under limits of memory and time.

    May be called from many threads at once: each call in progress has its own process.

    Args:
        kind: Suffix of the file, one of `KINDS`.
        content: The file's bytes as they are if the kind is in `BINARY`; else its text in UTF-8,
            lines ended by line feeds alone.
        title: For a page that names none.

    Returns:
        Its title, its sections, and which parts of it were lost.

    Raises:
        ValueError: it cannot be parsed; the message is the reason to set it aside.
        Passing: a ValueError that another run may not meet.
        BurnishError: the installation is broken, so that nothing can be parsed.
    """
    found = _WORKERS.parse(kind, content)
    return found._replace(title=found.title or title)
