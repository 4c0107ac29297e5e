"""Kept hits are those of a fresh search, and only what changed is searched."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from tasks.contracts import Checkpoint
from tasks.core import index as index_module
from tasks.core.encoder import Encoder
from tasks.core.flat import Flat
from tasks.core.index import Index, build_index
from tasks.embed import embed
from tasks.kept_hits import Asked, KeptHits
from tasks.model_files import load_encoder

QUESTIONS = ["which bird flies?", "a ship on the sea", "gold and silver", "who bakes bread?"]
K = 5


@pytest.fixture
def passages(words: tuple[str, ...]) -> list[str]:
    """Give 200 different passages."""
    return [f"{words[n % 90]} {words[n * 7 % 83]} {n}" for n in range(200)]


class Search:
    """One model's searches; `seen` counts the pairs of query and vector that were looked at."""

    def __init__(self, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
        self.checkpoint = checkpoint
        self.encoder: Encoder = load_encoder(checkpoint.path)
        self.seen = 0
        original = Flat.look

        def look(
            flat: Flat,
            queries: np.ndarray,
            length: int,
            among: np.ndarray | None = None,
            floors: np.ndarray | None = None,
        ) -> object:
            self.seen += (len(flat.vectors) if among is None else len(among)) * len(queries)
            return original(flat, queries, length, among, floors)

        monkeypatch.setattr(Flat, "look", look)

    def index(self, texts: Sequence[str]) -> Index:
        root = self.checkpoint.root
        return build_index(embed(root, self.checkpoint, texts, "document", [3])[:, 0])

    def __call__(
        self, passages: Sequence[str], questions: Sequence[str] = QUESTIONS
    ) -> dict[str, int]:
        """Search, compare with a fresh search, and return the work that it took."""
        root = self.checkpoint.root
        index = self.index(passages)
        vectors = embed(root, self.checkpoint, questions, "query", [3])[:, 0]
        kept = KeptHits(root, self.checkpoint, self.encoder, 3)
        told: list[int] = []
        self.seen = 0
        kept.search(index, Asked(questions, vectors, passages), K, advance=told.append)
        parts = [kept.read(slice(start, start + 3)) for start in range(0, len(questions), 3)]
        rows, scores = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        seen = self.seen
        expected = index.search(vectors, K)
        self.seen = seen
        assert np.array_equal(rows, expected[0])
        assert np.array_equal(scores, expected[1])
        assert sum(told) == len(questions)
        return kept.work


@pytest.fixture
def search(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> Search:
    """Give the function that searches."""
    return Search(checkpoint, monkeypatch)


def test_the_same_is_not_searched_again(search: Search, passages: list[str]) -> None:
    assert search(passages) == {"known": 0, "updated": 0, "searched": 4}
    assert search(passages) == {"known": 4, "updated": 0, "searched": 0}
    assert search.seen == 0


def test_passages_that_came_and_went_are_looked_at_alone(
    search: Search, passages: list[str]
) -> None:
    search(passages)
    changed = ["the bird flies", *passages[3:150][::-1], "bread", *passages[151:]]
    assert search(changed) == {"known": 0, "updated": 4, "searched": 0}
    assert search.seen == 2 * len(QUESTIONS)
    assert search(passages[:190])["updated"] == 4  # nothing came: nothing is looked at
    assert search.seen == 4 * len(QUESTIONS)  # but 0, 1, 2, and 150, which had gone


def test_many_changes_in_a_row_stay_exact(search: Search, passages: list[str]) -> None:
    random = np.random.default_rng(0)
    for step in range(12):
        gone = set(random.choice(len(passages), 20, replace=False).tolist())
        passages = [text for row, text in enumerate(passages) if row not in gone]
        passages += [f"{step} new {number} bird" for number in range(20)]
        search(passages)


def test_equal_passages_are_each_a_hit(search: Search, passages: list[str]) -> None:
    search([*passages, passages[0], passages[1]])
    search([passages[1], *passages, passages[0], "bread"])
    search(passages)


def test_a_new_question_is_searched_in_full(search: Search, passages: list[str]) -> None:
    search(passages, QUESTIONS[:3])
    assert search(passages) == {"known": 3, "updated": 0, "searched": 1}
    assert search(["new", *passages], ["dark night", *QUESTIONS])["searched"] == 1


def test_another_corpus_is_searched_in_full(search: Search, passages: list[str]) -> None:
    search(passages)
    assert search([f"other {text}" for text in passages])["searched"] == 4


def test_another_model_shares_nothing(
    search: Search,
    passages: list[str],
    make_checkpoint: Callable[..., Checkpoint],
    make_encoder: Callable[..., Encoder],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    search(passages)
    other = make_checkpoint(make_encoder(seed=1))
    assert Search(other, monkeypatch)(passages)["searched"] == 4


def test_a_killed_search_goes_on(
    search: Search, passages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    search(passages[:-1])
    find = Index.update
    with monkeypatch.context() as patch:
        patch.setattr(Index, "queries_at_once", lambda *_: 1)
        asked: list[int] = []

        def update(*arguments: object) -> object:
            asked.append(1)
            if len(asked) == 3:
                raise KeyboardInterrupt
            return find(*arguments)  # type: ignore[arg-type]

        patch.setattr(Index, "update", update)
        with pytest.raises(KeyboardInterrupt):
            search(passages)
    assert search(passages) == {"known": 2, "updated": 2, "searched": 0}


def test_how_hits_were_searched_is_told_ever_after(
    search: Search, passages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "SAMPLE", 2)
    root, questions = search.checkpoint.root, QUESTIONS
    vectors = embed(root, search.checkpoint, questions, "query", [3])[:, 0]
    facts = []
    for texts in (passages, passages, passages[1:]):
        corpus = embed(root, search.checkpoint, texts, "document", [3])[:, 0]
        kept = KeptHits(root, search.checkpoint, search.encoder, 3)
        kept.search(build_index(corpus, kind="ivf"), Asked(questions, vectors, texts), K)
        facts.append(kept.facts)
    assert facts[0]["kind"] == "ivf"
    assert facts[1] == facts[2] == facts[0]


def test_hits_of_few_corpora_are_kept(search: Search, passages: list[str]) -> None:
    for number in range(6):
        search(passages[number:])
    (family,) = (search.checkpoint.root / "memo" / "hits").iterdir()
    assert len(list(family.iterdir())) == 3


def test_a_killed_search_by_cells_goes_on_by_cells(
    checkpoint: Checkpoint, passages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "SAMPLE", 2)
    monkeypatch.setattr(Index, "queries_at_once", lambda *_: 2)
    root, find = checkpoint.root, Index.find
    corpus = embed(root, checkpoint, passages, "document", [3])[:, 0]
    vectors = embed(root, checkpoint, QUESTIONS, "query", [3])[:, 0]
    asked = Asked(QUESTIONS, vectors, passages)

    def search(folder: Path) -> tuple[list[object], dict[str, object]]:
        kept = KeptHits(folder, checkpoint, load_encoder(checkpoint.path), 3)
        kept.search(build_index(corpus, kind="ivf"), asked, K)
        return [array.tolist() for array in kept.read(slice(None))], kept.facts

    groups = 0

    def killed(index: Index, queries: np.ndarray, k: int) -> object:
        nonlocal groups
        groups += 1
        if groups == 2:
            raise KeyboardInterrupt
        return find(index, queries, k)

    with monkeypatch.context() as patch:
        patch.setattr(Index, "find", killed)
        with pytest.raises(KeyboardInterrupt):
            search(root / "killed")
    expected = search(root / "whole")
    assert expected[1]["kind"] == "ivf"
    assert search(root / "killed") == expected
