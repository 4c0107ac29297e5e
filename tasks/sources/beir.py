"""A folder in BEIR's layout, here or behind a URL: its documents."""

from collections.abc import Iterator
from dataclasses import dataclass

from ..contracts import BurnishError, fingerprint
from ..core.text import Document, Reject
from .files import File
from .inventory import Inventory
from .places import find_file
from .rows import read_rows, value
from .tabular import Columns

CORPUS = ("corpus.jsonl", "corpus.jsonl.gz")


@dataclass(frozen=True)
class Beir:
    """The documents of a folder with `corpus.jsonl`: lines of `_id`, `title`, and `text`."""

    name: str

    def fingerprint(self, inventory: Inventory) -> str:
        """Hash the corpus."""
        return fingerprint("corpus.jsonl", self._file.identify(inventory))

    def read(self, inventory: Inventory) -> Iterator[Document | Reject]:
        """Yield a document per line; one with a title alone has it for its text."""
        file, columns = self._file, Columns(id=("_id", "id"), has_own_id=True)
        for item in read_rows(file, inventory):
            if isinstance(item, Reject):
                yield Reject(item.source, item.source, item.reason)
            elif not value(item.values, *columns.id):
                place = f"{file.place}:{item.number}"
                yield Reject(place, place, "no id: `_id` is blank")
            else:
                yield columns.document(item, file.place, file.place)

    @property
    def _file(self) -> File:
        file = find_corpus(self.name)
        if file is None:
            raise BurnishError(f"{self.name}/corpus.jsonl is gone. Start again.")
        return file


def find_corpus(name: str) -> File | None:
    """Return the corpus of a folder in BEIR's layout, if it is one."""
    return find_file(name, CORPUS)
