"""Personal data and secrets: what must not leave the machine, known by its form."""

import re
from collections.abc import Callable
from ipaddress import ip_address
from typing import NamedTuple

LEAST_ACCOUNT = 15  # letters and digits of the shortest IBAN (Norway's)

# No group is repeated possessively: before Python 3.11.5 such a repetition matches too little.
_PRIVATE_KEY = (
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:[^-]*+(?:-(?!----)[^-]*+)*-----END [A-Z ]{0,60}-----|(?:\s{0,4}[\w+/=]{20,}+)*)"
)
_TOKEN = (  # by the prefix of who gave it out
    r"(?<![\w-])(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abeprs]-[\w-]{10,}|"
    r"sk-[\w-]{16,}|[rsp]k_(?:live|test)_\w{10,}|A[KS]IA[0-9A-Z]{16}|AIza[\w-]{30,}|"
    r"ya29\.[\w-]{20,}|hf_\w{20,}|npm_\w{20,}|pypi-[\w-]{20,}|SG\.[\w-]{16,}\.[\w-]{16,}|"
    r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*)"
)
_ASSIGNED = (  # `API_KEY = "..."`, `password: hunter22`, `Authorization: Bearer ...`
    r"(?P<kept>(?i:(?:password|passwort|passwd|pwd|passphrase|secret|token|credential|"
    r"(?:api|access|secret|private|account|auth)[_ -]?key)s?['\"]?"
    r"[ \t]{0,3}(?::=|=>|[:=])[ \t]{0,3}|"
    r"(?<!\w)(?:bearer|basic)[ \t]{1,3})['\"]?)"
    r"(?:(?<=['\"])[^'\"\s<>]{6,}(?=['\"])|(?=[^\s'\"]{0,60}\d)[\w+/.~!@#$%^&*=-]{8,})"
)
_IN_ADDRESS = r"(?P<kept>\w://[^\s:/@<>]{0,80}:)[^\s/@<>]{1,200}(?=@)"
_EMAIL = (
    r"(?<![\w.+%-])(?!\.)[\w.+%-]{1,64}(?:@|[ \t]?[\[(](?:at|@)[\])][ \t]?)"
    r"(?:[\w-]{1,63}(?:\.|[ \t]?[\[(](?:dot|\.)[\])][ \t]?)){1,8}[^\W\d_]{2,24}(?![\w@])"
)
_ACCOUNT = r"(?<!\w)[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}(?!\w)"
_CARD = (
    r"(?<!\d)(?:[2-6]\d{3}([ -])(?:\d{4}\1){2}\d{1,7}|"
    r"3\d{3}([ -])\d{6}\2\d{5}|[2-6]\d{12,18})(?!\d)"
)
_ADDRESS = (
    r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d)|"
    r"(?<![\w:.])[0-9A-Fa-f:]{2,39}(?:(?<=:)(?:\d{1,3}\.){3}\d{1,3})?(?![\w:])"
)
_SOCIAL = r"(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])"
_GAP = r"[ \t\u00a0\u2011.()/-]{0,3}"
_PHONE = (
    rf"(?<![\w+.])(?:\+|00(?=[1-9])){_GAP}[1-9](?:{_GAP}\d){{6,14}}(?!\d)|"  # +49 (0) 30 901820
    r"(?<![\w.-])(?:1[ .-])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[ .-])\d{3}[ .-]\d{4}(?!\d)|"
    r"(?<![\w.-])\(0\d{1,5}\)[ /-]?\d(?:[ -]?\d){4,8}(?!\d)|"  # (030) 901820
    r"(?<![\w.-])0[1-9]\d{0,4}(?: ?/ ?|[ -])\d(?:[ -]?\d){4,8}(?!\d)|"  # 030/901820
    r"(?<![\w.-])0\d(?:[ .]\d\d){4}(?!\d)|"  # 01 23 45 67 89
    r"(?P<kept>(?i:(?<!\w)(?:tel|telephone|telefon|phone|fax|mobile|mobil|cell|call|whatsapp)"
    rf"(?: number)?(?: at)?[.:]{{0,2}}[ \t]{{0,2}}))\(?\d(?:{_GAP}\d){{5,14}}(?!\d)"
)


def _measure_card(text: str) -> int:
    """Return how many characters are a card's number: all if its check digit agrees (Luhn).

    >>> _measure_card("4111 1111 1111 1111"), _measure_card("4111 1111 1111 1112")
    (19, 0)
    """
    digits = [int(character) for character in reversed(text) if character.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return 0 if (sum(digits[::2]) + sum(doubled)) % 10 else len(text)


def _measure_account(text: str) -> int:
    """Return how many characters are an IBAN, which a word may follow (ISO 13616: mod 97 is 1).

    >>> _measure_account("DE89 3704 0044 0532 0130 00 BIC"), _measure_account("DE883704004405320")
    (27, 0)
    """
    for end in sorted((gap.start() for gap in re.finditer(r"[ -]|$", text)), reverse=True):
        plain = re.sub(r"[ -]", "", text[:end])
        number = "".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])
        if len(plain) >= LEAST_ACCOUNT and int(number) % 97 == 1:
            return end
    return 0


def _measure_address(text: str) -> int:
    """Return how many characters are an IP address: all or none; loopback and netmask are none.

    >>> _measure_address("10.0.0.7"), _measure_address("127.0.0.1"), _measure_address("10:30:59")
    (8, 0, 0)
    """
    try:
        found = ip_address(text)
    except ValueError:
        return 0
    is_word = ":" in text and not re.search(r"\d", text)  # `dead::beef`
    is_any = found.is_loopback or found.is_unspecified or found.is_reserved or is_word
    return 0 if is_any else len(text)


class _Rule(NamedTuple):
    """What the first `measure` characters of a match are, but for its group `kept`."""

    kind: str
    pattern: re.Pattern[str]
    measure: Callable[[str], int] = len


_RULES = (  # secrets first: a password may look like an address
    _Rule("<SECRET>", re.compile(_PRIVATE_KEY)),
    _Rule("<SECRET>", re.compile(_TOKEN)),
    _Rule("<SECRET>", re.compile(_IN_ADDRESS)),
    _Rule("<SECRET>", re.compile(_ASSIGNED)),
    _Rule("<EMAIL>", re.compile(_EMAIL)),
    _Rule("<IBAN>", re.compile(_ACCOUNT), _measure_account),
    _Rule("<CARD>", re.compile(_CARD), _measure_card),
    _Rule("<IP>", re.compile(_ADDRESS), _measure_address),
    _Rule("<SSN>", re.compile(_SOCIAL)),
    _Rule("<PHONE>", re.compile(_PHONE)),
)


def mask_personal(text: str) -> str:
    """Replace what looks like personal data or a secret by the name of its kind.

    These are e-mail addresses, telephone numbers, IBANs and payment cards (by their check digits),
    US social security numbers, IP addresses (but the loopback and netmasks), private keys, tokens,
    and passwords. Names and postal addresses have no form to know them by: they stay. Rather too
    much is masked than too little. Masking twice changes nothing more; time is linear in the text.

    >>> mask_personal("Ask ann@example.org or +49 30 901820 (card 4111 1111 1111 1111).")
    'Ask <EMAIL> or <PHONE> (card <CARD>).'
    """
    for rule in _RULES:
        text = _mask(text, rule)
    return text


def _mask(text: str, rule: _Rule) -> str:
    """Mask what one rule finds; where a match is refused, another may begin inside it."""
    parts: list[str] = []
    copied = place = 0
    while found := rule.pattern.search(text, place):
        if size := rule.measure(found[0]):
            kept = found.groupdict().get("kept") or ""
            parts += [text[copied : found.start()], kept, rule.kind]
            copied = place = found.start() + size
        else:
            place = found.start() + 1
    return "".join([*parts, text[copied:]])
