"""Quality: passages that are too short, too long, or hardly text."""

import re
import unicodedata
from dataclasses import dataclass
from itertools import islice


@dataclass(frozen=True)
class Bounds:
    """What a passage must be like; `None` sets no bound.

    Attributes:
        min_characters: Fewest letters and digits.
        max_characters: Most characters of any kind.
        max_word_characters: Longest run of printable ASCII characters.
        min_letter_share: Least share of letters, vowel signs included, among the characters that
            are no white space.
    """

    min_characters: int
    max_characters: int | None = None
    max_word_characters: int | None = None
    min_letter_share: float = 0.0


def find_fault(text: str, bounds: Bounds) -> str:
    """Say why a passage is set aside, `kind: details`; nothing if it is kept.

    >>> find_fault("-- 1 --", Bounds(min_characters=2))
    'too short: under 2 letters and digits'
    >>> find_fault("1 2 3 4", Bounds(min_characters=2, min_letter_share=0.5))
    'hardly text: 0 % letters'
    >>> find_fault("A passage.", Bounds(min_characters=2))
    ''
    """
    known = islice(filter(str.isalnum, text), bounds.min_characters)  # no more than needed
    if sum(1 for _ in known) < bounds.min_characters:
        return f"too short: under {bounds.min_characters} letters and digits"
    if bounds.max_characters is not None and len(text) > bounds.max_characters:
        return f"too long: {len(text)} characters"
    if bounds.max_word_characters is not None:  # others, as Chinese, have no spaces
        longest = max(map(len, re.findall(r"[!-~]+", text)), default=0)
        if longest > bounds.max_word_characters:
            return f"word too long: {longest} characters"
    if bounds.min_letter_share > 0:
        share = _share_letters(text)
        if share < bounds.min_letter_share:
            return f"hardly text: {100 * share:.0f} % letters"
    return ""


def _share_letters(text: str) -> float:
    shown = "".join(text.split())
    letters = sum(unicodedata.category(character)[0] in "LM" for character in shown)
    return letters / max(len(shown), 1)
