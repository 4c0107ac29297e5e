"""Artifacts: what a run shows in Prefect's UI. A display never ends the work it shows."""

import contextlib
import logging
import re
from collections.abc import Iterator
from typing import Any

logger = logging.getLogger(__name__)

MOST_BYTES = 500_000  # of one artifact; pictures go first


def show_markdown(key: str, text: str, description: str) -> None:
    """Show text; the pictures in it are left out where it would be too large for Prefect.

    Args:
        key: Lower case, digits, dashes; what all runs show under one key is a history.
        text: Markdown.
        description: One line.
    """
    from prefect.artifacts import create_markdown_artifact

    with _unharmed(key):
        create_markdown_artifact(fit(text), key=key, description=description)


def show_table(key: str, rows: list[dict[str, Any]], description: str) -> None:
    """Show rows as a table that can be searched; nothing if there are none."""
    from prefect.artifacts import create_table_artifact

    if rows:
        with _unharmed(key):
            create_table_artifact(rows, key=key, description=description)


def show_link(key: str, address: str, text: str, description: str) -> None:
    """Show a link; nothing where there is no page to link to."""
    from prefect.artifacts import create_link_artifact

    if address:
        with _unharmed(key):
            create_link_artifact(address, text, key=key, description=description)


def fit(text: str, most: int = MOST_BYTES) -> str:
    """Leave pictures out of a text that is too large, the last first; then cut its end.

    >>> fit(f"a ![one](data:x) b ![two](data:{'y' * 99})", most=60)
    'a ![one](data:x) b (two: too large to show)'
    """
    for picture in reversed(list(re.finditer(r"!\[([^\]]*)\]\(data:[^)]*\)", text))):
        if len(text.encode()) <= most:
            break
        left_out = f"({picture[1]}: too large to show)"
        text = text[: picture.start()] + left_out + text[picture.end() :]
    return text.encode()[:most].decode(errors="ignore")


@contextlib.contextmanager
def _unharmed(key: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - a display must not end the work it shows
        logger.warning("%s is not shown in Prefect: %s", key, error)
