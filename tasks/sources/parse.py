"""Parsing: a page in the form of its file becomes a title and sections."""

from collections.abc import Callable
from importlib.metadata import version

from ..core.text import Page, Section
from .outline import Parsed

# What a parse depends on beside our own code.
LIBRARIES = {name: version(name) for name in ("beautifulsoup4", "markdown-it-py")}


def parse_page(page: Page) -> Parsed:
    """Parse a page; the title is empty if its text names none.

    Raises:
        ValueError: the text cannot be parsed; the message is the reason to set it aside.
    """
    try:
        return _parser(page.kind)(page.text)
    except Exception as error:  # a parser's fault with one file must not end the run
        raise ValueError(f"cannot be parsed: {type(error).__name__}: {error}") from error


def _parser(kind: str) -> Callable[[str], Parsed]:
    """Return the parser of a kind of file; imported when wanted, so that `--help` is quick."""
    if kind in {".html", ".htm"}:
        from .html import parse_html

        return parse_html
    if kind == ".rst":
        from .restructured import parse_restructured

        return parse_restructured
    if kind == ".txt":
        return lambda text: ("", (Section("", text, "line 1"),))
    from .markdown import parse_markdown

    return parse_markdown
