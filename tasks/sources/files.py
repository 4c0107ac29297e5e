"""Files: their hash, their text, and JSON lines, where a broken line costs itself alone."""

import codecs
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..core.text import Reject


def read_text(file: Path) -> str:
    r"""Return a file's text with `\n` alone ending its lines.

    Raises:
        ValueError: it is not UTF-8; the message is the reason to set it aside.
        OSError: it cannot be read.
    """
    content = file.read_bytes()
    mark = 3 if content.startswith(codecs.BOM_UTF8) else 0
    try:
        text = content[mark:].decode()
    except UnicodeDecodeError as error:
        raise ValueError(_not_utf8(mark + error.start)) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_lines(file: Path, name: str) -> Iterator[tuple[int, dict[str, Any]] | Reject]:
    """Yield (line number, object) for each line that is not blank.

    Args:
        file: The file.
        name: How a person knows it; what is set aside is named `<name>:<line>`.
    """
    offset = 0
    with file.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            place, start = f"{name}:{number}", offset
            offset += len(line)
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                value = json.loads(text) if text else {}
            except UnicodeDecodeError as error:
                yield Reject(place, place, _not_utf8(start + error.start))
            except json.JSONDecodeError as error:
                yield Reject(place, place, f"not JSON: {error.msg} (column {error.colno})")
            except (ValueError, RecursionError) as error:  # a number or a nest beyond limits
                yield Reject(place, place, f"not JSON: {error}")
            else:
                if not isinstance(value, dict):
                    yield Reject(place, place, f"not an object: {type(value).__name__}")
                elif text:
                    yield number, value


def _not_utf8(byte: int) -> str:
    return f"not UTF-8: byte {byte}; save it as UTF-8"


def field(value: dict[str, Any], *names: str) -> str:
    """Return the first of these fields that holds text or a whole number; empty if none does."""
    for name in names:
        found = value.get(name)
        if isinstance(found, str) and found.strip():
            # JSON can spell half a surrogate pair, which no encoding of text can hold.
            return found.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if isinstance(found, int) and not isinstance(found, bool):
            return str(found)
    return ""


def hash_file(file: Path) -> str:
    """Hash a file's content."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
