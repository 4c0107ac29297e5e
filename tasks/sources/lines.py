"""Lines of a text file, decoded one by one, so that a file of any size fits."""

import io
import itertools
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, cast

from .encoding import guess_encoding, marked_encoding, not_utf8

BUFFER_BYTES = 1 << 16  # also what an encoding is guessed by


class Line(NamedTuple):
    """A decoded line, its end included; or the reason why there is none."""

    number: int
    text: str
    problem: str = ""


class Lines:
    """The lines of a stream; what is broken costs its line."""

    def __init__(self, stream: BinaryIO, most: int, *, may_guess: bool = False) -> None:
        """Look at the beginning, which decides in which encoding it is read.

        Args:
            stream: Bytes.
            most: Longest line in bytes that is read.
            may_guess: Whether another encoding than UTF-8 is guessed, where it is sure.
        """
        self._stream = io.BufferedReader(cast(io.RawIOBase, stream), BUFFER_BYTES)
        self._most = most
        head = self._stream.peek(1)
        self._mark = marked_encoding(head)
        self.guessed = ""
        """The encoding, if it had to be guessed."""
        self._encoding = "utf-8"
        if may_guess and not self._mark:
            self._guess(head)

    def __iter__(self) -> Iterator[Line]:
        if self._mark and self._mark != "utf-8-sig":  # where a line's end is not one byte
            return self._read_wide()
        return self._read()

    def _guess(self, head: bytes) -> None:
        try:
            head.decode()
        except UnicodeDecodeError as error:
            is_cut = error.reason == "unexpected end of data"
            if not is_cut:
                found, is_declared = guess_encoding(head, error.start)
                self._encoding = found or "utf-8"
                self.guessed = "" if is_declared else found

    def _read_wide(self) -> Iterator[Line]:
        text = io.TextIOWrapper(self._stream, encoding=self._mark, errors="replace", newline=None)
        for number in itertools.count(1):
            line = text.readline(self._most)
            if not line:
                return
            if len(line) < self._most or line.endswith("\n"):
                yield Line(number, line)
                continue
            length = len(line)
            while line and not line.endswith("\n"):
                line = text.readline(self._most)
                length += len(line)
            yield Line(number, "", _too_large(length))

    def _read(self) -> Iterator[Line]:
        offset = 0
        for number in itertools.count(1):
            line = self._stream.readline(self._most)
            if not line:
                return
            start, offset = offset, offset + len(line)
            if len(line) == self._most and not line.endswith(b"\n"):
                offset += self._skip()
                yield Line(number, "", _too_large(offset - start))
            else:
                yield self._decode(number, line, start)

    def _decode(self, number: int, line: bytes, start: int) -> Line:
        skipped = 3 if number == 1 and self._mark else 0
        try:
            text = line[skipped:].decode(self._encoding)
            return Line(number, text[:-2] + "\n" if text.endswith("\r\n") else text)
        except UnicodeDecodeError as error:
            if self.guessed:
                return Line(
                    number,
                    "",
                    f"not {self._encoding}: byte {start + error.start}; save the file as UTF-8",
                )
            return Line(number, "", not_utf8(start + skipped + error.start))

    def _skip(self) -> int:
        length = 0
        while line := self._stream.readline(self._most):
            length += len(line)
            if line.endswith(b"\n"):
                break
        return length


def _too_large(length: int) -> str:
    return f"too large: a line of {length:,}"
