"""Names of sources: the place, what a fragment says beside it, and ids that can be printed."""

import re
import unicodedata
from collections.abc import Collection, Mapping
from pathlib import Path
from urllib.parse import unquote

from ..contracts import BurnishError

# A password before a host, of the web any user, and what signs a link or stands for a password.
_SECRET = re.compile(
    r"://[^/@\s]*:[^/@\s]+@|https?://[^/@\s]+@|"
    r"[?&](?:sig|[\w-]*signature|[\w-]*token|(?:api|access|subscription)[_-]?key|[\w-]*secret|"
    r"[\w-]*credential|password|auth)=[^&#\s]",
    re.IGNORECASE,
)
_OPTION = r"[A-Za-z_]+=[^&#]*"
_FRAGMENT = re.compile(rf"{_OPTION}(?:&{_OPTION})*")


def split_name(name: str, known: Collection[str]) -> tuple[str, dict[str, str]]:
    """Split `<place>#<option>=<value>&…`; percent signs escape what would end a value.

    A `#` that begins no such options, or is in the name of a file that exists, belongs to the
    place.

    >>> split_name("docs/pages.parquet#id=key&text=page%20body", {"id", "title", "text"})
    ('docs/pages.parquet', {'id': 'key', 'text': 'page body'})
    >>> split_name("notes/C#/*.md", {"id", "title", "text"})
    ('notes/C#/*.md', {})

    Raises:
        BurnishError: an option is unknown, blank, or there twice.
    """
    place, mark, fragment = name.rpartition("#")
    if not mark or not _FRAGMENT.fullmatch(fragment) or exists(name):
        return name, {}
    options: dict[str, str] = {}
    for option in fragment.split("&"):
        key, _, value = option.partition("=")
        if key not in known or not value or key in options:
            fault = "twice" if key in options else "blank" if key in known else "unknown"
            raise BurnishError(
                f"The option `{option}` in the source {name} is {fault}. After `#` it takes "
                f"{', '.join(f'`{key}=`' for key in sorted(known))}, joined by `&`."
            )
        options[key] = unquote(value)
    return place, options


def kind_of(name: str) -> str:
    """Return what a name begins with before a colon; empty for a path.

    A drive's letter (`C:`) and a path that exists are no kinds; `file://` is a path.

    >>> kind_of("s3://team/docs"), kind_of("hf:org/name"), kind_of("docs/a.md"), kind_of("C:/docs")
    ('s3', 'hf', '', '')
    """
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", name)
    kind = match[1].lower() if match else ""
    return "" if kind in {"file", "local"} or not kind or exists(name) else kind


def is_remote(name: str) -> bool:
    """Tell whether a name is a URL that fsspec opens (`s3://…`, `zip://…::…`)."""
    return bool(kind_of(name)) and ("://" in name or "::" in name)


def local_path(name: str) -> Path:
    """Return the path that a name of a folder, a glob, or a file stands for."""
    return Path(re.sub(r"^(?:file|local)://", "", name)).expanduser()


def exists(name: str) -> bool:
    """Tell whether there is a file of this very name."""
    try:
        return Path(name).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # too long, or no one's home
        return False


def check_secrets(name: str) -> None:
    """Refuse a password in a URL: names of sources are logged and stored with every passage."""
    if _SECRET.search(name):
        shown = re.sub(r"://\S*@", "://…@", re.sub(r"\?\S*", "?…", name))
        raise BurnishError(
            f"The source {shown} holds a password, which would be stored with every passage. Name "
            "it without, and put the password where fsspec looks: the environment or its "
            "configuration file."
        )


def printable(text: str) -> str:
    r"""Escape what cannot be printed or stored: control characters, and bytes that are no UTF-8.

    >>> printable("a\nb\u202e.md"), printable("caf\udce9.md"), printable("日本 é.md")
    ('a\\x0ab\\u202e.md', 'caf\\xe9.md', '日本 é.md')
    """
    if text.isprintable():
        return text
    return "".join(map(_escape, text))


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how Python holds a byte of a name that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    return character


def told(options: Mapping[str, str]) -> str:
    """Return options as they are written in a name, for an error to show.

    >>> told({"text": "body"})
    '#text=body'
    """
    return "#" + "&".join(f"{key}={value}" for key, value in options.items())
