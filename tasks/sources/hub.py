"""Hugging Face datasets as a source: by name on the Hub, or saved in a folder."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..contracts import BurnishError, fingerprint
from ..core.text import Document, Reject
from .columnar import BATCH_ROWS
from .inventory import Inventory
from .names import local_path, printable, split_name
from .rows import Row
from .tabular import COLUMNS, Columns

if TYPE_CHECKING:
    from datasets import Dataset

PREFIX = "hf:"
OPTIONS = frozenset({"config", "split", "revision"})
# By `save_to_disk`, of one split and of several.
_SAVED = (("state.json", "dataset_info.json"), ("dataset_dict.json",))


def is_saved(folder: Path) -> bool:
    """Tell whether a folder was written by `save_to_disk`."""
    return any(all((folder / name).is_file() for name in names) for names in _SAVED)


@dataclass(frozen=True)
class Hub:
    """A dataset: `hf:org/name` or a saved folder, with `#config=`, `#split=`, and columns.

    Without `split` all of them are read. Ids are taken as they are; a row without one is named by a
    hash of its content.
    """

    name: str
    place: str = field(init=False)
    options: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Read the name."""
        place, options = split_name(self.name, OPTIONS | COLUMNS.keys())
        object.__setattr__(self, "place", place)
        object.__setattr__(self, "options", options)

    def fingerprint(self, inventory: Inventory) -> str:
        """Hash the data's files, and what of them is read."""
        columns = Columns.choose(self.options)
        seen: list[Any] = []
        for split, data in self._load().items():
            reason = columns.why_not(data.column_names)
            if reason:
                raise BurnishError(f"The dataset {self.name} has {reason}.")
            files = [Path(file["filename"]) for file in data.cache_files]
            held = [inventory.hash(file) for file in files] or [_hash_rows(data)]
            seen.append([split, sorted(held), data.num_rows])
        return fingerprint("dataset", dict(self.options), sorted(seen))

    def read(self, inventory: Inventory) -> Iterator[Document | Reject]:
        """Yield a document per row."""
        columns = replace(Columns.choose(self.options), has_own_id=True)
        splits = self._load()
        for split, data in splits.items():
            place = printable(self.place + (f"/{split}" if len(splits) > 1 else ""))
            wanted = {*columns.id, *columns.title, *columns.text} & set(data.column_names)
            rows = data.select_columns(sorted(wanted))
            number = 0
            for start in range(0, len(rows), BATCH_ROWS):
                batch = rows[start : start + BATCH_ROWS]
                for values in zip(*batch.values(), strict=True):
                    number += 1
                    row = Row(number, f"row {number}", dict(zip(batch, values, strict=True)))
                    yield columns.document(row, place.rpartition("/")[2], place)

    def _load(self) -> dict[str, "Dataset"]:
        import datasets

        try:
            loaded = self._load_any(datasets)
        except Exception as error:
            raise BurnishError(
                f"The dataset {self.name} cannot be loaded: {type(error).__name__}: {error} "
                "Check its name, `#config=`, and `#split=`; the Hub's token is taken from HF_TOKEN."
            ) from error
        if isinstance(loaded, datasets.DatasetDict):
            return dict(loaded)
        return {self.options.get("split", "all"): loaded}

    def _load_any(self, datasets: Any) -> Any:  # noqa: ANN401 - a module, and one of its classes
        split = self.options.get("split")
        if self.place.startswith(PREFIX):
            return datasets.load_dataset(
                self.place.removeprefix(PREFIX),
                self.options.get("config"),
                split=split,
                revision=self.options.get("revision"),
            )
        loaded = datasets.load_from_disk(str(local_path(self.place)))
        if split and isinstance(loaded, datasets.DatasetDict):
            return loaded[split]
        return loaded


def _hash_rows(data: "Dataset") -> str:
    """Hash a dataset that lies in memory."""
    digest = hashlib.sha256()
    for start in range(0, len(data), BATCH_ROWS):
        digest.update(repr(data[start : start + BATCH_ROWS]).encode("utf-8", "replace"))
    return digest.hexdigest()
