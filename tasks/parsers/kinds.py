"""Kinds of files, by suffix, and the parser of each."""

from collections.abc import Callable

from .languages import LANGUAGES
from .outline import Parsed, Section
from .reasons import Unreadable

MARKDOWN = frozenset({".md", ".markdown"})
HTML = frozenset({".html", ".htm"})
BINARY = frozenset({".pdf", ".docx", ".pptx"})  # all others are text, in UTF-8
KINDS = BINARY | MARKDOWN | HTML | {".txt", ".rst", ".ipynb"} | LANGUAGES.keys()


def parse(kind: str, content: bytes) -> Parsed:
    """Parse a file's content; the title is empty if it names none.

    Raises:
        Unreadable: it cannot be parsed; the message is the reason to set it aside.
    """
    if kind in BINARY:
        return _binary(kind)(content)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise Unreadable(f"not UTF-8: byte {error.start}; save it as UTF-8") from error
    return _textual(kind)(text)


def _binary(kind: str) -> Callable[[bytes], Parsed]:
    """Return the parser of a kind of file; imported when wanted, for a process meets few kinds."""
    if kind == ".pdf":
        from .pdf import parse_pdf

        return parse_pdf
    if kind == ".docx":
        from .word import parse_word

        return parse_word
    from .slides import parse_slides

    return parse_slides


def _textual(kind: str) -> Callable[[str], Parsed]:
    if kind in LANGUAGES:
        from .code import parse_code

        return lambda text: parse_code(text, LANGUAGES[kind])
    if kind in HTML:
        from .html import parse_html

        return parse_html
    if kind == ".rst":
        from .restructured import parse_restructured

        return parse_restructured
    if kind == ".ipynb":
        from .notebook import parse_notebook

        return parse_notebook
    if kind == ".txt":
        return lambda text: Parsed("", (Section("", text, "line 1"),))
    from .markdown import parse_markdown

    return parse_markdown
