"""Structure: what is unchanged is not queried again, and the results are those of a fresh run."""

from pathlib import Path
from pydoc_data.topics import topics
from typing import Literal

import pytest

from tasks.core.queries import Kind, make_queries
from tasks.core.reading import Passage
from tasks.core.vocabulary import Vocabulary, terms
from tasks.core.word_forms import WordForms
from tasks.generators import Made
from tasks.generators.structure import TOO_SHORT, Structure, StructureConfig

PASSAGES = [
    Passage(name, "", paragraph)
    for name, text in sorted(topics.items())
    for paragraph in text.split("\n\n")
    if len(paragraph.split()) > 40
][:120]


def generate(
    root: Path, passages: list[Passage], config: StructureConfig | None = None
) -> tuple[list[Made], dict[str, int]]:
    vocabulary = Vocabulary.count([passage.composed] for passage in passages)
    structure = Structure(config or StructureConfig(), root, 3, 0, vocabulary)
    told: list[int] = []
    made = list(structure.generate(passages, told.append))
    assert sum(told) == len(passages)
    return made, dict(structure.work)


@pytest.mark.parametrize("rarity", ["form", "corpus"])
def test_queries_are_those_of_the_passage_and_all_rarities(
    tmp_path: Path, rarity: Literal["form", "corpus"]
) -> None:
    vocabulary = Vocabulary.count([passage.composed] for passage in PASSAGES)
    made, work = generate(tmp_path, PASSAGES, StructureConfig(rarity=rarity))
    assert work == {"queried": len(PASSAGES), "known": 0}
    hide: dict[Kind, float] = {"span": 0.5, "name": 0.5}
    weighed = vocabulary if rarity == "corpus" else WordForms()
    for passage, each in zip(PASSAGES, made, strict=True):
        assert list(each.queries) == make_queries(
            passage, weighed, count=3, kinds=("span", "name"), hide=hide, seed=0
        )


def test_nothing_is_queried_twice(tmp_path: Path) -> None:
    first, _ = generate(tmp_path, PASSAGES)
    again, work = generate(tmp_path, PASSAGES)
    assert again == first
    assert work == {"queried": 0, "known": len(PASSAGES)}
    doubled, work = generate(tmp_path, PASSAGES * 2)
    assert doubled == first * 2
    assert work["queried"] == 0


def change(passages: list[Passage]) -> list[Passage]:
    """Change one passage, take three away, and add one."""
    changed = list(passages)
    changed[7] = Passage("new", "", "Heat pumps defrost their coils. " + changed[7].text)
    added = Passage("more", "", changed[60].text + " Really so.")
    return [*changed[:50], *changed[53:], added]


@pytest.mark.parametrize("rarity", ["form", "corpus"])
def test_a_change_costs_what_it_touches_and_equals_a_fresh_run(
    tmp_path: Path, rarity: Literal["form", "corpus"]
) -> None:
    config = StructureConfig(rarity=rarity)
    generate(tmp_path / "kept", PASSAGES, config)
    changed = change(PASSAGES)
    kept, work = generate(tmp_path / "kept", changed, config)
    fresh, all_work = generate(tmp_path / "fresh", changed, config)
    assert kept == fresh
    assert all_work["queried"] == len(changed)
    assert work["queried"] == 2 if rarity == "form" else 2 <= work["queried"] < len(changed)


def test_a_word_that_grows_common_is_noticed(tmp_path: Path) -> None:
    config = StructureConfig(rarity="corpus")
    vocabulary = Vocabulary.count([passage.composed] for passage in PASSAGES)
    generate(tmp_path, PASSAGES, config)
    common = Vocabulary(len(PASSAGES), {**vocabulary.frequencies, "object": len(PASSAGES)})
    assert vocabulary.rarity("object") != common.rarity("object")
    structure = Structure(config, tmp_path, 3, 0, common)
    structure.generate(PASSAGES, lambda count: None)
    touched = sum("object" in terms(passage.composed) for passage in PASSAGES)
    assert structure.work["queried"] == touched > 0


@pytest.mark.parametrize("other", [{"hide_span": 0.9}, {"kinds": ("extract",)}])
def test_other_settings_start_anew(tmp_path: Path, other: dict[str, object]) -> None:
    generate(tmp_path, PASSAGES[:20])
    _, work = generate(tmp_path, PASSAGES[:20], StructureConfig.model_validate(other))
    assert work == {"queried": 20, "known": 0}


def test_too_short_a_passage_says_so(tmp_path: Path) -> None:
    (made,), _ = generate(tmp_path, [Passage("", "", "abs")])
    assert made == Made((), (TOO_SHORT,))
