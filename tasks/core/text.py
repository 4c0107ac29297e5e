"""Documents, and what a model sees of a passage."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """A stretch of a document under one heading.

    Attributes:
        heading: Headings above it, outermost first, joined by ` > `, without the title.
        text: Its text; code is indented, so that it is split at lines alone.
        position: Where a person finds it. `line 12` says that line n of `text` is line 11 + n of
            the source; `page 3` (`cell 3`, `paragraph 3`) that `text` begins there and that each
            form feed in it is where the next begins; anything else (`#install`) holds for all.
    """

    heading: str
    text: str
    position: str = ""


@dataclass(frozen=True)
class Document:
    """What a source gives: an id that is stable across runs, a title, and sections in order."""

    document_id: str
    title: str
    sections: tuple[Section, ...]
    source: str


@dataclass(frozen=True)
class Reject:
    """What a source could not give, and why: `kind`, or `kind: details`."""

    document_id: str
    source: str
    reason: str


def compose(title: str, section: str, text: str) -> str:
    r"""Join what the encoder and BM25 see of a passage.

    A title that the text begins with, and a section that is the title, are not repeated.

    >>> compose("Install", "Linux > Debian", "Use apt.")
    'Install\nLinux > Debian\nUse apt.'
    >>> compose("json.dump", "", "json.dumps is another function.")
    'json.dump\njson.dumps is another function.'
    >>> compose("json.dump", "", "json.dump(value, file)")
    'json.dump(value, file)'
    """
    rest = text[len(title) : len(title) + 1] if text.startswith(title) else "x"
    is_repeated = re.match(r"\w", rest) is None
    head = [title] if title and not is_repeated else []
    if section and section != title:
        head.append(section)
    return "\n".join([*head, text])


def mask(composed: str, masked: str) -> str:
    r"""Hide a span wherever it occurs, and close the gap.

    >>> mask("Ports\nThe port is 80 by default. Change it.", "The port is 80 by default.")
    'Ports\nChange it.'
    >>> mask("unchanged  as it is", "")
    'unchanged  as it is'
    """
    if not masked.strip():
        return composed

    def close(gap: re.Match[str]) -> str:
        before, after = composed[: gap.start()], composed[gap.end() :]
        at_edge = not before or not after or before.endswith("\n") or after.startswith("\n")
        return "" if at_edge else " "

    return re.sub(rf"[ \t]*{re.escape(masked.strip())}[ \t]*", close, composed).strip()
