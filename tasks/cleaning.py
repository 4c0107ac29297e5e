"""Cleaning: which passages are set aside, and which say nearly the same."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from .contracts import BurnishError
from .core.quality import Bounds, find_fault
from .core.text import Reject, compose
from .memo import Memo
from .progress import progress
from .stage import fingerprint_code
from .tables import NEAR_TEXT, SAME_TEXT

if TYPE_CHECKING:
    import numpy as np

Row = dict[str, str]


class Cleaning:
    """The passages that are left, what was set aside so far, and the work it took."""

    def __init__(self, root: Path, rows: list[Row], rejects: Sequence[Reject]) -> None:
        self.rows = rows
        self.rejects = list(rejects)
        self.work: dict[str, int] = {}
        self._root = root

    def drop_faults(self, bounds: Bounds) -> None:
        """Set aside what is too short, too long, or hardly text."""
        self._drop([find_fault(row["text"], bounds) for row in self.rows])

    def drop_foreign(self, languages: Sequence[str]) -> None:
        """Set aside what is certainly in a language other than these, if there are any.

        Raises:
            BurnishError: a language cannot be told.
        """
        if not languages:
            return
        from .core import language

        if unknown := set(languages) - language.list_languages():
            raise BurnishError(
                f"The languages {sorted(unknown)} cannot be told. Set --ingest.languages to codes "
                f"such as en or de; known are {' '.join(sorted(language.list_languages()))}."
            )
        settings = {
            "py3langid": version("py3langid"),
            "code": fingerprint_code(language),
        }
        memo = Memo(self._root, "languages", settings, pa.string())

        def compute(texts: list[str]) -> Iterator[str]:
            return map(language.detect_language, texts)

        found = self._recall("languages", memo, compute).to_pylist()
        allowed = {*languages, language.UNSURE}
        self._drop(["" if code in allowed else f"language: {code}" for code in found])

    def drop_copies(self) -> None:
        """Keep a passage once whose title, heading, and text are there again."""
        first: dict[str, str] = {}
        reasons = []
        for row in self.rows:
            text = " ".join(compose(row["title"], row["section"], row["text"]).split())
            kept = first.setdefault(_key(text), row["passage_id"])
            reasons.append("" if kept == row["passage_id"] else SAME_TEXT + kept)
        self._drop(reasons)

    def cluster(self, similarity: float) -> None:
        """Give each passage the id of the first that says nearly the same."""
        from .core import clusters, signatures

        kind = pa.list_(pa.uint16(), signatures.HASHES)
        memo = Memo(self._root, "signatures", {"code": fingerprint_code(signatures)}, kind)

        def compute(texts: list[str]) -> Iterator[Any]:
            return iter(signatures.sign(texts))

        found = self._recall("signatures", memo, compute)
        first = clusters.find_clusters(_to_array(found, signatures.HASHES), similarity)
        for row, number in zip(self.rows, first, strict=True):
            row["cluster"] = self.rows[number]["passage_id"]

    def drop_near_copies(self) -> None:
        """Keep the first passage of each cluster alone."""
        first = {row["passage_id"]: row["cluster"] for row in self.rows}
        copies = {name: NEAR_TEXT + kept for name, kept in first.items() if name != kept}
        self.rejects = [  # no copy is one of a passage that goes too
            replace(reject, reason=copies.get(reject.reason.removeprefix(SAME_TEXT), reject.reason))
            for reject in self.rejects
        ]
        self._drop([copies.get(row["passage_id"], "") for row in self.rows])

    def _recall(
        self,
        name: str,
        memo: Memo,
        compute: Callable[[list[str]], Iterator[Any]],
    ) -> pa.ChunkedArray:
        """Return a result for each passage's text, computing those that are not known."""
        keys = [_key(row["text"]) for row in self.rows]
        items = dict(zip(keys, (row["text"] for row in self.rows), strict=True))
        with progress(f"ingest: {name}", len(items), "texts") as advance:
            results = memo.fill(items, compute, part_items=8192, advance=advance)
        self.work[name] = memo.computed
        places = {key: place for place, key in enumerate(items)}
        return results.take(pa.array([places[key] for key in keys], pa.int64()))

    def _drop(self, reasons: Sequence[str]) -> None:
        """Set aside the passages that have a reason."""
        for row, reason in zip(self.rows, reasons, strict=True):
            if reason:
                self.rejects.append(Reject(row["passage_id"], row["source"], reason))
        self.rows = [row for row, why in zip(self.rows, reasons, strict=True) if not why]


def _key(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _to_array(values: pa.ChunkedArray, width: int) -> "np.ndarray":
    """Return (values, width) of the lists."""
    import numpy as np

    parts = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in values.chunks]
    return np.concatenate([np.empty(0, np.uint16), *parts]).reshape(-1, width)
