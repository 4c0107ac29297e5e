"""Office files are archives: what must hold before one is opened."""

import io
import zipfile

from .reasons import Unreadable

MAX_EXPANDED_BYTES = 1 << 29  # half of the memory a page may take
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # how files before 2007, and encrypted ones, begin


def check_archive(content: bytes, name: str) -> None:
    """Refuse what is no archive, is encrypted, or expands beyond reason.

    Args:
        content: The file.
        name: What it is meant to be, `DOCX`.

    Raises:
        Unreadable: with the reason.
    """
    if content.startswith(_COMPOUND):
        if "EncryptedPackage".encode("utf-16-le") in content:
            raise Unreadable(f"encrypted {name}: it opens with a password alone")
        raise Unreadable(f"old format: saved before 2007; save it as {name}")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
        raise Unreadable(f"damaged {name}: {error}") from error
    if any(part.flag_bits & 1 for part in parts):
        raise Unreadable(f"encrypted {name}: its parts open with a password alone")
    # a part that is larger than it says is cut there and fails its checksum
    size = sum(part.file_size for part in parts)
    if size > MAX_EXPANDED_BYTES:
        raise Unreadable(f"zip bomb: expands to {size / 1e9:,.1f} GB")
