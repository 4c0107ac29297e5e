"""Titles in the properties of files: what programs write where people give none is no title."""

import re

_BY_PROGRAM = re.compile(
    r"(?i)(microsoft )?(word|power ?point)?\W*(untitled|presentation|document|slides?)?\W*\d*"
    r"|microsoft \w+ - .*"
    r"|.*\.(docx?|pptx?|xlsx?|pdf|tex|dvi|indd|qxd|html?|md|rtf|odt|odp|pages|key|txt)"
)


def read_title(text: str | None) -> str:
    """Return a title if a person gave it, else nothing.

    >>> read_title("Safety at sea"), read_title("Microsoft Word - sea.doc"), read_title("Slide 1")
    ('Safety at sea', '', '')
    """
    title = " ".join((text or "").split())
    return "" if _BY_PROGRAM.fullmatch(title) else title
