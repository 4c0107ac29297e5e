"""What the page says is what is in the tables."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pytest

from tasks.contracts import Corpus, Manifest, Pairs, Triplets
from tasks.page.blocks import Figures, Grid, Paragraph, Section, Share
from tasks.page.columns import count_rejects, count_words, read_rows
from tasks.page.negatives import describe_negatives
from tasks.page.passages import MAX_SOURCES, REST, describe_passages, group_sources
from tasks.page.queries import describe_queries
from tasks.page.rows import read_mined, sample_rows
from tests.page.conftest import HOSTILE, Nouns

MakeDataset = Callable[..., Nouns]
T = TypeVar("T", Grid, Paragraph, Figures)
N = TypeVar("N", bound=Manifest)


def find(sections: list[Section], title: str, kind: type[T]) -> list[T]:
    (section,) = (each for each in sections if each.title == title)
    return [block for block in section.blocks if isinstance(block, kind)]


def recount(noun: N, **facts: object) -> N:
    """Return a noun whose facts are others."""
    return noun.model_copy(update={"facts": {**noun.facts, **facts}})


def write_corpus(root: Path, rows: list[tuple[str, str, str]]) -> Corpus:
    """Write passages of (document, source, cluster); each has as many words as its number."""
    return Corpus.write(
        root,
        [
            {"passage_id": str(n), "document_id": document, "title": "", "section": "",
             "text": " ".join(["word"] * n), "source": source, "position": "", "cluster": cluster}
            for n, (document, source, cluster) in enumerate(rows)
        ],
        rejects=[{"item": "x", "source": "gone.md", "reason": "no text"}],
    )  # fmt: skip


def test_sources_are_counted_as_a_slow_count_has_them(tmp_path: Path) -> None:
    rows = [(f"d{n % 7}", f"docs/{n % 7}.md", str(n)) for n in range(20)]
    sections = describe_passages(write_corpus(tmp_path, rows))
    (grid,) = find(sections, "Sources", Grid)
    expected = {
        f"docs/{d}.md": (1, sum(n % 7 == d for n in range(20)),
                         sum(n for n in range(20) if n % 7 == d), 0)
        for d in range(7)
    } | {"gone.md": (0, 0, 0, 1)}  # fmt: skip
    assert {row[0]: row[1:] for row in grid.rows} == expected


@pytest.mark.parametrize("count", [1, 20, 500])
def test_sources_are_few_enough_to_read_and_none_is_lost(tmp_path: Path, count: int) -> None:
    rows = [(f"d{n}", f"docs/{n % 30}/{n}.md", str(n)) for n in range(count)]
    (grid,) = find(describe_passages(write_corpus(tmp_path, rows)), "Sources", Grid)
    assert len(grid.rows) <= MAX_SOURCES
    assert sum(row[1] for row in grid.rows) == count  # type: ignore[misc, arg-type]


def test_the_largest_of_many_sources_keep_their_names() -> None:
    sizes = {f"module{n}": n for n in range(100)}
    places = group_sources(sizes, most=3)
    assert {places[name] for name in ("module99", "module98")} == {"module99", "module98"}
    assert Counter(places.values())[REST] == 98


def test_lengths_are_those_of_the_passages(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path, [(str(n), "a", str(n)) for n in range(101)])
    (grid,) = find(describe_passages(corpus), "Passage lengths", Grid)
    assert grid.rows == (("words", 0, 5, 25, 50, 75, 95, 100),)


def test_near_duplicates_are_told(tmp_path: Path) -> None:
    rows = [("a", "s", "0"), ("b", "s", "0"), ("c", "s", "2"), ("d", "s", "0")]
    (told,) = find(describe_passages(write_corpus(tmp_path, rows)), "Near-duplicates", Paragraph)
    assert told.text.startswith("3 of 4 passages (75.0 %)")
    assert "0 (3)" in told.text
    (none,) = find(
        describe_passages(write_corpus(tmp_path, rows[2:3])), "Near-duplicates", Paragraph
    )
    assert none.text == "No two passages say nearly the same."


def test_a_corpus_without_passages_is_described(tmp_path: Path) -> None:
    sections = describe_passages(write_corpus(tmp_path, []))
    assert any(section.warnings for section in sections)  # all there was is set aside


def test_reasons_are_counted_by_kind(make_dataset: MakeDataset) -> None:
    kinds = count_rejects(make_dataset().corpus)
    assert [(kind.kind, kind.times) for kind in kinds] == [("damaged", 2), ("same text", 1)]
    assert kinds[0].examples[1] == "b (cut off)"


def test_words_are_what_split_finds() -> None:
    texts = ["", " a  b\n\tc ", "one", "漢字 だけ"]
    assert count_words(pa.array(texts)).tolist() == [len(text.split()) for text in texts]


def test_rows_are_read_across_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.page.columns.ROWS_AT_ONCE", 3)
    corpus = write_corpus(tmp_path, [(f"d{n}", "s", "c") for n in range(20)])
    rows = read_rows(corpus, ("passage_id", "document_id"), "passage_id", {"1", "19", "missing"})
    assert [row["document_id"] for row in rows] == ["d1", "d19"]


def test_a_query_with_several_answers_is_one_query(make_dataset: MakeDataset) -> None:
    nouns = make_dataset()
    rows = nouns.pairs.read().to_pylist()
    doubled = Pairs.write(nouns.pairs.root, [*rows, {**rows[0], "passage_id": "d9"}])
    (origins,) = find(describe_queries(nouns.corpus, doubled), "Queries", Grid)
    assert origins.rows[0][:4] == ("human", 1, 0, 0)
    assert origins.rows[0][-1] == "3"
    assert origins.rows[1][:4] == ("structure", len(HOSTILE) - 1, 0, 0)


def test_filters_are_told_with_their_yield(make_dataset: MakeDataset) -> None:
    nouns = make_dataset()
    (grid,) = find(describe_queries(nouns.corpus, nouns.pairs), "Filters", Grid)
    assert grid.rows[0][:4] == ("near copies", 40, 10, Share(10, 40))
    bare = recount(nouns.pairs, filters=[{"name": "judge"}, {"examples": [{"query": "q"}]}])
    (grid,) = find(describe_queries(nouns.corpus, bare), "Filters", Grid)
    assert grid.rows[0] == ("judge", 0, 0, Share(0, 0), "")
    assert grid.rows[1][-1] == "q"


def test_rules_are_told_from_counts_or_from_a_list(make_dataset: MakeDataset) -> None:
    nouns = make_dataset()
    mined = list(read_mined(nouns.pairs, nouns.candidates, nouns.triplets).values())
    grid = find(describe_negatives(nouns.triplets, mined), "Hard negatives", Grid)[0]
    assert [row[1] for row in grid.rows] == [20, 50, 96, 34]
    listed = recount(nouns.triplets, rules=[{"name": "new_rule", "before": 200, "removed": 7}])
    grid = find(describe_negatives(listed, mined), "Hard negatives", Grid)[0]
    assert grid.rows[0] == ("new rule", 7, Share(7, 200))


def test_answers_are_ranked_among_the_candidates(make_dataset: MakeDataset) -> None:
    nouns = make_dataset()
    mined = read_mined(nouns.pairs, nouns.candidates, nouns.triplets)
    assert mined["q0"].preferred == 1  # 0.6 beats 0.595, 0.59 does not
    assert mined["q1"].preferred == 0
    assert sorted(mined["q1"].negative_scores) == pytest.approx([0.59, 0.6])
    grid = find(describe_negatives(nouns.triplets, list(mined.values())), "Scores", Grid)[0]
    assert grid.rows[1] == ("2 to 5", Share(1, len(HOSTILE)))


def test_too_few_negatives_are_warned_of(make_dataset: MakeDataset) -> None:
    nouns = make_dataset()
    rows = nouns.triplets.read().to_pylist()
    for row in rows[:9]:
        row["negative_ids"] = []
    triplets = Triplets.write(nouns.triplets.root, rows)
    warnings = describe_negatives(triplets, [])[0].warnings
    assert warnings and warnings[0].startswith("9 of 17 training rows have fewer than 2")
    assert not describe_negatives(nouns.triplets, [])[0].warnings


def test_rare_origins_are_among_the_samples_and_order_does_not_matter(
    make_dataset: MakeDataset,
) -> None:
    nouns = make_dataset()
    mined = read_mined(nouns.pairs, nouns.candidates, nouns.triplets, most=2, each=3)
    samples = sample_rows(nouns.corpus, nouns.pairs, mined, 4)
    assert sorted(sample.origin for sample in samples) == ["human, weight 3", *["structure"] * 3]
    turned = Nouns(
        *(type(n).write(n.root, n.read().take(list(range(n.facts["rows"]))[::-1])) for n in nouns)
    )
    mined = read_mined(turned.pairs, turned.candidates, turned.triplets, most=2, each=3)
    again = sample_rows(turned.corpus, turned.pairs, mined, 4)
    assert sorted(again, key=str) == sorted(samples, key=str)


def test_samples_hold_answer_and_negatives_with_their_scores(make_dataset: MakeDataset) -> None:
    nouns = make_dataset(("one", "two", "three"))
    mined = read_mined(nouns.pairs, nouns.candidates, nouns.triplets)
    (sample,) = (s for s in sample_rows(nouns.corpus, nouns.pairs, mined) if "one" in s.query)
    assert [passage.role for passage in sample.passages] == ["answer", "negative 1", "negative 2"]
    assert [p.score for p in sample.passages] == pytest.approx([0.595, 0.6, 0.59])
    assert [p.heading for p in sample.passages] == ["one > one", "two > two", "three > three"]
    assert sample.passages[0].marked == "First words."
