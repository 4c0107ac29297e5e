"""Text of documents, made fit to be looked at."""

import re
import unicodedata

# What turns the reading direction over would let a passage rewrite the page around it.
_OVERRIDES = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_KEPT = frozenset("\n\t ")


def clean(text: str) -> str:
    r"""Make what is invisible or acts on other text visible: controls become their symbols.

    >>> clean("a\x00b\x1b[31m\u202ec\r\nd")
    'a␀b␛[31m�c\nd'
    """
    return "".join(map(_show, text.replace("\r\n", "\n").replace("\r", "\n")))


def _show(character: str) -> str:
    if character.isprintable() or character in _KEPT:
        return character
    if character < " ":
        return chr(0x2400 + ord(character))
    if character in _OVERRIDES or unicodedata.category(character) in {"Cc", "Cs", "Co", "Cn"}:
        return "\ufffd"
    return character


def flatten(text: str) -> str:
    """Put a text in one line."""
    return " ".join(clean(text).split())


def shorten(text: str, most: int, around: str = "") -> str:
    """Cut a text to about `most` characters between words, and keep `around` within if it fits.

    >>> shorten("one two three four five six", 13)
    'one two …'
    >>> shorten("one two three four five six", 13, around="five")
    '… four five six'
    """
    if len(text) <= most:
        return text
    place = max(text.find(around), 0) if around else 0
    start = max(0, min(place - max(0, most - len(around)) // 2, len(text) - most))
    if start and not text[start - 1].isspace():
        start += _length(r"\S*\s*", text[start:])
    end = start + most
    shown = text[start:end]
    if end < len(text):
        shown = re.sub(r"\s*\S*$", "", shown) or shown
    return ("… " if start else "") + shown + (" …" if end < len(text) else "")


def _length(pattern: str, text: str) -> int:
    match = re.match(pattern, text)
    return match.end() if match else 0
