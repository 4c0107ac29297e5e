"""Delimited text (CSV, TSV) as rows; a broken one costs itself alone."""

import csv
import sys
from collections import deque
from collections.abc import Iterable, Iterator

from .lines import Line

SEPARATORS = ",;\t|"
MAX_ROW_LINES = 10_000  # what a forgotten quotation mark may swallow before it is noticed


def read_delimited(
    lines: Iterable[Line], separator: str, most: int
) -> Iterator[tuple[int, dict[str, str] | str]]:
    r"""Yield each row under the names in the first, or the reason why there is none.

    Quotation marks are heeded as RFC 4180 has them. Where they do not add up, a line of a TSV is
    taken as it stands, for most that write TSV do not quote; of a CSV it is set aside, and reading
    goes on with the next line.

    >>> lines = [Line(1, "id,text\n"), Line(2, 'a,"one, two"\n'), Line(3, "b\n")]
    >>> list(read_delimited(lines, "", 100))
    [(2, {'id': 'a', 'text': 'one, two'}), (3, 'not a row: columns are 1 where 2 are wanted')]

    Args:
        lines: Lines with their ends.
        separator: What parts columns; if empty, what is most frequent in the first line.
        most: Longest row in characters.
    """
    csv.field_size_limit(sys.maxsize)  # rows are bounded here
    source = _Source(lines, most)
    names: list[str] = []
    while (line := source.next()) is not None:
        if not line.problem and not line.text.strip():
            continue
        separator = separator or max(SEPARATORS, key=line.text.count)
        row = line.problem or _parse(line, source, separator, len(names))
        if isinstance(row, str):
            yield line.number, row
        elif not names:
            names = [name.strip() for name in row]
        elif len(row) != len(names):
            yield line.number, f"not a row: columns are {len(row)} where {len(names)} are wanted"
        else:
            yield line.number, dict(zip(names, row, strict=True))


class _Source:
    """Lines to take, and to give back."""

    def __init__(self, lines: Iterable[Line], most: int) -> None:
        self._lines = iter(lines)
        self._returned: deque[Line] = deque()
        self._most = most

    def next(self) -> Line | None:
        return self._returned.popleft() if self._returned else next(self._lines, None)

    def follow(self, line: Line, taken: list[Line]) -> Iterator[str]:
        """Yield the text of a line and of those that a quotation joins to it."""
        yield line.text
        length = len(line.text)
        while len(taken) < MAX_ROW_LINES and length <= self._most:
            found = self.next()
            if found is None:
                return
            taken.append(found)
            if found.problem:
                return
            length += len(found.text)
            yield found.text

    def give_back(self, taken: list[Line]) -> None:
        self._returned.extendleft(reversed(taken))


def _parse(line: Line, source: _Source, separator: str, columns: int) -> list[str] | str:
    taken: list[Line] = []
    try:
        row = next(csv.reader(source.follow(line, taken), delimiter=separator, strict=True))
        if taken and columns and len(row) != columns:  # the quotation joins what are rows
            raise csv.Error(f"columns are {len(row)} where {columns} are wanted")
        return row
    except (csv.Error, StopIteration) as error:
        source.give_back(taken)
        if separator == "\t":
            return line.text.rstrip("\r\n").split("\t")
        return f"not a row: {error}"
