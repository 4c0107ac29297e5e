"""What is remembered below the root between runs: the last corpus, and the last training."""

import json
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tasks.contracts import SIGNATURE, BurnishError, Corpus, Manifest, Pairs, writable
from tasks.store import find_store

LAST, TRAINED = "last.json", "trained.json"


class Trained(NamedTuple):
    """What the last finished training was made from."""

    corpus: Corpus
    pairs: Pairs


class Sight(NamedTuple):
    """What was behind sources when they were looked at."""

    sources: str
    """Which these were, by a hash of how they are named."""
    content: str
    """What was there, by its hash."""


def point_to_corpus(root: Path, fingerprint: str, seen: Sight) -> None:
    """Remember which corpus is the last one, for the search, and what of its sources it covers.

    What is known of other sources stays: a run that somebody starts for once with others does not
    make those of every night look new.

    Args:
        root: Folder of all nouns.
        fingerprint: Of the corpus.
        seen: What was behind the sources before the corpus was made.
    """
    covered = _read(root / LAST).get("seen", {}) | {seen.sources: seen.content}
    _write(root / LAST, {"corpus": fingerprint, "seen": covered})


def read_last_corpus(root: Path) -> Corpus:
    """Return the corpus that the last run was made from.

    Raises:
        BurnishError: nothing was made below this root yet.
    """
    known = _read(root / LAST)
    if not known:
        raise BurnishError(
            f"Nothing was made below {root} yet. Run `burnish retrain` first, or give --root."
        )
    return _find_noun(root, Corpus, known["corpus"]) or Corpus.open(
        root / "corpus" / known["corpus"]
    )


def read_seen(root: Path, sources: str) -> str:
    """Return the content of these sources that the last run of them covers; empty if none did."""
    return str(_read(root / LAST).get("seen", {}).get(sources, ""))


def remember_training(root: Path, corpus: Corpus, pairs: Pairs) -> None:
    """Remember what a training that is finished was made from."""
    _write(root / TRAINED, {"corpus": corpus.fingerprint, "pairs": pairs.fingerprint})


def find_trained(root: Path) -> Trained | None:
    """Return what the last finished training was made from; None if there is none any more."""
    known = _read(root / TRAINED)
    corpus = _find_noun(root, Corpus, known.get("corpus", "none"))
    pairs = _find_noun(root, Pairs, known.get("pairs", "none"))
    return Trained(corpus, pairs) if corpus and pairs else None


M = TypeVar("M", bound=Manifest)


def _find_noun(root: Path, kind: type[M], fingerprint: str) -> M | None:
    """Return a noun from below the root, or else from the store."""
    folder = root / kind.__name__.lower() / fingerprint
    if (folder / SIGNATURE).exists():
        return kind.open(folder)
    store = find_store()
    return store.fetch(kind, fingerprint, root) if store else None


def _write(file: Path, told: dict[str, Any]) -> None:
    with writable(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".json.part")
        unfinished.write_text(json.dumps(told))
        unfinished.replace(file)
    if store := find_store():
        store.write(file.name, json.dumps(told).encode())


def _read(file: Path) -> dict[str, Any]:
    store = find_store()
    stored = store.read(file.name) if store else None  # what other machines did last is there
    found = json.loads(stored or (file.read_text() if file.exists() else "{}"))
    return found if isinstance(found, dict) else {}
