"""Encodings: the bytes of a text file become text, and nobody's guess passes for knowledge."""

import codecs
import re
from typing import NamedTuple

SAMPLE_BYTES = 1 << 16
MIN_COHERENCE = 0.3  # how far letters come in a language's frequencies; 0 for a few words
MAX_COHERENCE_GAP = 0.05  # candidates this near to the best one count as equal to it
MAX_CHAOS = 0.1  # how odd the characters beside each other are
MIN_BEYOND = 3  # characters beyond ASCII; fewer are as well a disk's fault
MIN_IDEOGRAPHS = 8
MIN_IDEOGRAPH_SHARE = 0.2  # of the letters; a stray byte in English makes one in thousands
MAX_SIGNS = 0.05  # of the characters beyond ASCII
MAX_ZEROS = 0.1  # of the bytes

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# HTML's and XML's own words for it, and Python's (PEP 263).
_DECLARED = re.compile(rb"(?:charset|coding|encoding)\s*[:=]\s*[\"']?([-\w.]+)")
_DECLARES = b"charset encoding"
# Most used first (W3Techs); what looks equally good is taken in this order.
_MOST_USED_FIRST = ("cp1252", "cp1251", "cp1250", "cp1254", "cp1253", "cp1255", "cp1256", "cp1257")
_MULTIBYTE = ("cp932", "euc_jp", "gb18030", "big5", "cp949")
_ASKED = [*_MOST_USED_FIRST, "koi8_r", "koi8_u", *_MULTIBYTE]
# Windows' signs, of which none stands between two letters, as DOS's letters do when misread.
_SIGN_IN_WORD = re.compile(
    r"(?<=[^\W\d_])[\u0192\u201a\u201e\u2020\u2021\u02c6\u02dc\u2030\u2039\u203a\u2122"
    r"\xa2-\xa9\xac\xae-\xb3\xb6\xb8\xb9\xbc-\xbf\xd7\xf7](?=[^\W\d_])"
)
_IDEOGRAPHS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


class Decoded(NamedTuple):
    r"""Text with `\n` alone ending its lines, and its encoding if that had to be guessed."""

    text: str
    guessed: str = ""


def decode(content: bytes) -> Decoded:
    r"""Decode a file's content: by its mark, as UTF-8, as it declares itself, or by a sure guess.

    >>> decode("na\u00efve".encode()).text, decode("text".encode("utf-16")).text
    ('naïve', 'text')

    Raises:
        ValueError: it is not text, or nobody can be sure in which encoding; the message is the
            reason to set it aside.
    """
    marked = marked_encoding(content) or _wide_encoding(content)
    try:
        return Decoded(_lines(content.decode(marked or "utf-8")))
    except UnicodeDecodeError as error:
        if marked and marked != "utf-8-sig":
            raise ValueError(
                f"not {marked.upper()}: byte {error.start}, despite its mark"
            ) from None
        failed = error.start + (3 if marked else 0)
    encoding, is_declared = ("", False) if marked else guess_encoding(content, failed)
    if not encoding:
        raise ValueError(not_utf8(failed))
    try:
        return Decoded(_lines(content.decode(encoding)), "" if is_declared else encoding)
    except UnicodeDecodeError:
        raise ValueError(not_utf8(failed)) from None


def marked_encoding(content: bytes) -> str:
    """Return the encoding that a byte order mark tells; empty if there is none."""
    return next((name for mark, name in _MARKS.items() if content.startswith(mark)), "")


def guess_encoding(content: bytes, failed: int) -> tuple[str, bool]:
    """Guess the encoding of what is not UTF-8; empty if nobody can be sure.

    Args:
        content: The file's content, or the beginning of it.
        failed: Byte where it stops being UTF-8.

    Returns:
        The encoding, and whether the file declares it itself.
    """
    declared = _DECLARED.search(content[:1024])
    if declared and _decodes(content, declared[1].decode()):
        return codecs.lookup(declared[1].decode()).name, True
    if _is_damaged_utf8(content):
        return "", False
    start = content.rfind(b"\n", 0, max(failed - SAMPLE_BYTES // 2, 0)) + 1
    sample = content[start : start + SAMPLE_BYTES]
    if start + SAMPLE_BYTES < len(content) and b"\n" in sample:
        sample = sample[: sample.rfind(b"\n") + 1]  # no character cut in two
    return _guess(sample), False


def not_utf8(byte: int) -> str:
    """Say that text is not UTF-8, and what to do."""
    return f"not UTF-8: byte {byte}; save it as UTF-8"


def _guess(sample: bytes) -> str:
    from charset_normalizer import from_bytes  # a detector that weighs noise and language

    matches = list(from_bytes(sample, cp_isolation=_ASKED))
    if not matches or matches[0].chaos > MAX_CHAOS:
        return ""
    best = matches[0]
    ideographs, letters = len(_IDEOGRAPHS.findall(str(best))), sum(map(str.isalpha, str(best)))
    if ideographs >= MIN_IDEOGRAPHS and ideographs >= letters * MIN_IDEOGRAPH_SHARE:
        return best.encoding
    if best.coherence < MIN_COHERENCE:
        return ""
    equals = [m for m in matches if m.coherence >= best.coherence - MAX_COHERENCE_GAP]
    names = {name for match in equals for name in match.could_be_from_charset}
    found = next((name for name in _MOST_USED_FIRST if name in names), best.encoding)
    return found if _is_plausible(sample.decode(found, "replace")) else ""


def _is_plausible(text: str) -> bool:
    r"""Tell whether signs do not stand inside of words, as DOS's letters do when read as Windows'.

    >>> _is_plausible("gar\xe7on, na\xefve, \xe7a"), _is_plausible("gar\u2021on, na\u2039ve, \xe7a")
    (True, False)
    """
    beyond = sum(not character.isascii() for character in text)
    return beyond >= MIN_BEYOND and len(_SIGN_IN_WORD.findall(text)) <= MAX_SIGNS * beyond


def _wide_encoding(content: bytes) -> str:
    """Return UTF-16 without a mark, which zeros in every other byte tell; empty if it is not.

    Raises:
        ValueError: there are as many zeros, but not so.
    """
    head = content[:SAMPLE_BYTES]
    zeros = head.count(0)
    if zeros <= len(head) * MAX_ZEROS:
        return ""
    odd = head[1::2].count(0)
    if max(odd, zeros - odd) < zeros * 0.95:
        raise ValueError("not text: it holds zero bytes")
    return "utf-16-le" if odd > zeros - odd else "utf-16-be"


def _is_damaged_utf8(content: bytes) -> bool:
    """Tell whether it was UTF-8 once: whole characters beyond ASCII outnumber the broken ones."""
    text = content.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    return sum(not character.isascii() for character in text) > 2 * broken


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        if _DECLARES.decode(encoding) != _DECLARES.decode("ascii"):
            return False  # UTF-16, which the declaration itself is not written in
        content.decode(encoding)
    except (LookupError, ValueError):  # unknown, no text encoding, or not in it
        return False
    return True


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
