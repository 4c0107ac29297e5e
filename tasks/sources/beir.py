"""A folder in BEIR's layout, here or behind a URL: its documents."""

from collections.abc import Iterator
from dataclasses import dataclass

from ..contracts import BurnishError, fingerprint
from ..core.text import Document, Reject
from .files import File
from .folder import Folder
from .inventory import Inventory
from .judgments import has_judgments, is_judgment
from .names import is_remote
from .places import find_file
from .rows import read_rows, value
from .tabular import Columns

CORPUS = ("corpus.jsonl", "corpus.jsonl.gz")
BESIDE = "not read: beside corpus.jsonl"


@dataclass(frozen=True)
class Beir:
    """The documents of a folder with `corpus.jsonl`: lines of `_id`, `title`, and `text`."""

    name: str

    def fingerprint(self, inventory: Inventory) -> str:
        """Hash the corpus."""
        return fingerprint("corpus.jsonl", self._file.identify(inventory))

    def read(self, inventory: Inventory) -> Iterator[Document | Reject]:
        """Yield a document per line; one with a title alone has it for its text.

        Other files of a folder on this machine are set aside, but for those of its judgments.
        """
        file, columns = self._file, Columns(id=("_id", "id"), has_own_id=True)
        for item in read_rows(file, inventory):
            if isinstance(item, Reject):
                yield Reject(item.source, item.source, item.reason)
            elif not value(item.values, *columns.id):
                place = f"{file.place}:{item.number}"
                yield Reject(place, place, "no id: `_id` is blank")
            else:
                yield columns.document(item, file.place, file.place)
        if not is_remote(self.name):
            yield from self._find_others(file.document_id, inventory)

    def _find_others(self, corpus: str, inventory: Inventory) -> Iterator[Reject]:
        is_judged = has_judgments(self.name)
        for found in Folder(self.name).find(inventory.max_file_bytes):
            name = found.document_id
            if name == corpus or (is_judged and is_judgment(name)):
                continue
            told = found.reason if isinstance(found, Reject) else ""  # a link, or closed to us
            is_other_kind = told.startswith("kind not read")
            place = found.source if isinstance(found, Reject) else found.place
            yield Reject(name, place, BESIDE if is_other_kind else told or BESIDE)

    @property
    def _file(self) -> File:
        file = find_corpus(self.name)
        if file is None:
            raise BurnishError(f"{self.name}/corpus.jsonl is gone. Start again.")
        return file


def find_corpus(name: str) -> File | None:
    """Return the corpus of a folder in BEIR's layout, if it is one."""
    return find_file(name, CORPUS)
