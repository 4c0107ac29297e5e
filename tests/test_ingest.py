"""ingest: passages that fit, the same whatever comes first, and nothing done twice."""

import json
import logging
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from tasks.contracts import BurnishError, Checkpoint, Corpus
from tasks.core.text import compose
from tasks.ingest import IngestConfig, ingest
from tasks.sources import list_sources
from tasks.tables import read_aliases


def commit_base(root: Path, longest: int | None = None) -> Checkpoint:
    """Commit a base of which there is only what ingest reads: a tokenizer of words."""
    vocabulary = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.enable_truncation(8)  # as many saved tokenizers do; it must not be heeded

    def write(folder: Path) -> None:
        tokenizer.save(str(folder / "tokenizer.json"))
        (folder / "config.json").write_text("{}")
        if longest:
            (folder / "sentence_bert_config.json").write_text(f'{{"max_seq_length": {longest}}}')
            (folder / "1_Pooling").mkdir()
            (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
            modules = [("a.Transformer", ""), ("a.Pooling", "1_Pooling")]
            listed = [{"type": name, "path": path} for name, path in modules]
            (folder / "modules.json").write_text(json.dumps(listed))

    return Checkpoint.commit(root, write, {})


def fill(folder: Path, **texts: str) -> str:
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(text)
    return folder.as_posix()


def run(root: Path, *sources: str, config: IngestConfig | None = None) -> Corpus:
    return ingest.fn(
        commit_base(root), list_sources(sources), config or IngestConfig(max_tokens=32)
    )


def rows(corpus: Corpus) -> dict[str, dict[str, str]]:
    return {row["passage_id"]: row for row in corpus.read().to_pylist()}


def rejects(corpus: Corpus) -> dict[str, str]:
    return {row["item"]: row["reason"] for row in corpus.read_rejects().to_pylist()}


SENTENCES = " ".join(f"Sentence {number} has six words." for number in range(20))
LONG = f"# Title\n\n{SENTENCES}\n\n## Part\n\nThe end of it.\n"


def test_passages_fit_and_know_their_place(tmp_path: Path) -> None:
    corpus = run(tmp_path / "root", fill(tmp_path / "docs", a=LONG, b="Short text here."))
    found = rows(corpus)
    assert list(found) == [*(f"a.md#{number}" for number in range(len(found) - 1)), "b.md#0"]
    assert found[f"a.md#{len(found) - 2}"] == {
        "passage_id": f"a.md#{len(found) - 2}",
        "document_id": "a.md",
        "title": "Title",
        "section": "Part",
        "text": "The end of it.",
        "source": f"{(tmp_path / 'docs').as_posix()}/a.md",
        "position": "line 7",
        "cluster": f"a.md#{len(found) - 2}",
    }
    assert all(row["text"].startswith("Sentence") for row in list(found.values())[:-2])
    tokenizer = Tokenizer.from_file(str(commit_base(tmp_path / "root").path / "tokenizer.json"))
    tokenizer.no_truncation()
    composed = [compose(row["title"], row["section"], row["text"]) for row in found.values()]
    assert max(len(tokenizer.encode(text).ids) for text in composed) <= 32


def test_the_facts_add_up(tmp_path: Path) -> None:
    docs = fill(tmp_path / "docs", a=LONG, b="Short text here.", c="", d="Short text here.", e="x")
    (tmp_path / "docs" / "f.bin").write_bytes(b"\0\1")
    corpus = run(tmp_path / "root", docs)
    assert corpus.facts == {
        "rows": len(rows(corpus)),
        "documents": 3,  # d's title differs from b's, so its passage stays
        "passages": len(rows(corpus)),
        "words": 20 * 5 + 4 + 3 + 3,
        "near_duplicates": 1,  # yet says the same
        "set_aside": 3,
        "reasons": {"kind not read": 1, "no text": 1, "too short": 1},
        "work": corpus.facts["work"],
    }
    counted = {"documents", "chunked", "signatures"}
    assert set(corpus.facts["work"]) == counted  # languages are not told unless asked for
    assert rejects(corpus) == {
        "c.md": "no text",
        "e.md#0": "too short: under 2 letters and digits",
        "f.bin": "kind not read: .bin",
    }


def test_the_same_text_is_kept_once(tmp_path: Path) -> None:
    docs = fill(
        tmp_path / "docs", b="# T\n\nSame  text.", a="# T\n\nSame\ntext.", c="# U\n\nSame text."
    )
    corpus = run(tmp_path / "root", docs)
    assert list(rows(corpus)) == ["a.md#0", "c.md#0"]
    assert rejects(corpus) == {"b.md#0": "same text as a.md#0"}
    assert read_aliases(corpus) == {"b.md#0": "a.md#0"}


def test_the_order_of_sources_changes_nothing(tmp_path: Path) -> None:
    one, two = fill(tmp_path / "1", a=LONG, c="Third."), fill(tmp_path / "2", b="Second text.")
    forth, back = run(tmp_path / "root", one, two), run(tmp_path / "root", two, one)
    assert forth.fingerprint == back.fingerprint
    assert forth.fingerprint == run(tmp_path / "elsewhere", one, two).fingerprint


def test_a_new_document_changes_no_other_passage(tmp_path: Path) -> None:
    docs = fill(tmp_path / "docs", b=LONG, d="Fourth text.")
    before = rows(run(tmp_path / "root", docs))
    fill(tmp_path / "docs", a="First text.", c="# Title\n\nThird text. " * 30)
    after = rows(run(tmp_path / "root", docs))
    assert set(before) < set(after)
    assert {name: after[name] for name in before} == before


def test_only_what_changed_is_cut_again(tmp_path: Path) -> None:
    def work(**settings: int) -> tuple[int, int, int]:
        config = IngestConfig(**{"max_tokens": 32, **settings})
        done = run(tmp_path / "root", docs, config=config).facts["work"]
        return done["documents"]["parsed"], done["chunked"], done["signatures"]

    docs = fill(tmp_path / "docs", a="# A\n\nFirst.", b="# B\n\nSecond.")
    assert work() == (2, 2, 2)
    assert work() == (0, 0, 0)
    fill(tmp_path / "docs", b="# B\n\nChanged.", c="# A\n\nFirst.")  # c is a under another name
    assert work() == (1, 1, 1)
    assert work(max_tokens=33) == (0, 2, 0)  # other settings, other chunks; a and c are one item


def test_passages_are_no_longer_than_the_base_reads(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    docs = fill(tmp_path / "docs", a=LONG)
    listing, wide = list_sources([docs]), IngestConfig(max_tokens=64)
    with caplog.at_level(logging.INFO):
        short = ingest.fn(commit_base(tmp_path / "root", longest=40), listing, wide)
    assert "passages of 40 tokens; the base model reads no more" in caplog.text
    longer = ingest.fn(commit_base(tmp_path / "root"), listing, wide)
    assert short.facts["passages"] > longer.facts["passages"]


def test_sources_that_give_nothing_are_refused(tmp_path: Path) -> None:
    docs = fill(tmp_path / "docs", a="", b="x", c="# Heading alone")
    with pytest.raises(BurnishError, match="gave no passage; set aside were .*no text.*too short"):
        run(tmp_path / "root", docs)


def test_a_base_without_tokenizer_is_refused(tmp_path: Path) -> None:
    base = Checkpoint.commit(
        tmp_path / "root", lambda folder: (folder / "config.json").write_text("{}") and None, {}
    )
    listing = list_sources([fill(tmp_path / "docs", a="Text.")])
    with pytest.raises(BurnishError, match="has no tokenizer.json, .* Name a base"):
        ingest.fn(base, listing, IngestConfig())


@pytest.mark.parametrize("settings", [{"max_tokens": 8}, {"max_tokens": 10**6}, {"max_token": 99}])
def test_settings_out_of_bounds_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="max_token"):
        IngestConfig(**settings)


NEAR = "The harbour master closes the gate on Mondays until noon, and ships that come before wait "
NEAR += "outside at anchor; whoever has no anchor ties up at the {} pier and pays for the hour."


def test_near_duplicates_share_a_cluster_and_stay(tmp_path: Path) -> None:
    docs = fill(
        tmp_path / "docs",
        a="Something else.",
        b=f"# One\n\n{NEAR.format('western')}",
        c=f"# Two\n\n{NEAR.format('eastern')}",
        d="# Three\n\nSomething  else",
    )
    config = IngestConfig(max_tokens=64)
    found = rows(run(tmp_path / "root", docs, config=config))
    clusters = {name: row["cluster"] for name, row in found.items()}
    assert clusters == {
        "a.md#0": "a.md#0",
        "b.md#0": "b.md#0",
        "c.md#0": "b.md#0",
        "d.md#0": "a.md#0",
    }
    strict = IngestConfig(max_tokens=64, near_duplicate_similarity=1)
    clusters = [
        row["cluster"] for row in rows(run(tmp_path / "root", docs, config=strict)).values()
    ]
    assert clusters == ["a.md#0", "b.md#0", "c.md#0", "a.md#0"]


def test_near_duplicates_are_removed_on_demand(tmp_path: Path) -> None:
    west, east = NEAR.format("western"), NEAR.format("eastern")
    docs = fill(tmp_path / "docs", a=east, b=f"# T\n\n{west}", c="Else.", d=f"# T\n\n{west}")
    config = IngestConfig(max_tokens=64, remove_near_duplicates=True)
    corpus = run(tmp_path / "root", docs, config=config)
    assert {name: row["cluster"] for name, row in rows(corpus).items()} == {
        "a.md#0": "a.md#0",
        "c.md#0": "c.md#0",
    }
    reason = "nearly the same text as a.md#0"
    assert rejects(corpus) == {"b.md#0": reason, "d.md#0": reason}  # d is b's copy, and b is gone
    assert corpus.facts["reasons"] == {"nearly the same text": 2}


def test_rules_set_aside_with_their_reasons(tmp_path: Path) -> None:
    docs = fill(
        tmp_path / "docs",
        a="The harbour is closed on Mondays; please register before noon.",
        b="Der Hafen ist montags geschlossen; bitte melden Sie sich an.",
        c="1 | 2 | 3 | 4 | 5 | x",
        d="ZGVmYWJjZGVmYWJjZGVmYWJjZGVmYWJjZGVmYWJjZGVm",
        e="Install",
    )
    open_rules = run(tmp_path / "root", docs)
    assert len(rows(open_rules)) == 5
    config = IngestConfig(
        max_tokens=32, languages=["en"], min_letter_share=0.4, max_word_characters=40
    )
    corpus = run(tmp_path / "root", docs, config=config)
    assert list(rows(corpus)) == ["a.md#0", "e.md#0"]
    assert rejects(corpus) == {
        "b.md#0": "language: de",
        "c.md#0": "hardly text: 9 % letters",
        "d.md#0": "word too long: 44 characters",
    }
    assert corpus.facts["work"]["languages"] == 3
    assert run(tmp_path / "root", docs, config=config).facts["work"]["languages"] == 0


def test_unknown_languages_are_refused(tmp_path: Path) -> None:
    docs = fill(tmp_path / "docs", a="Text.")
    with pytest.raises(BurnishError, match="xx.* cannot be told.*known are .* en "):
        run(tmp_path / "root", docs, config=IngestConfig(languages=["en", "xx"]))


def test_boilerplate_is_removed_on_demand(tmp_path: Path) -> None:
    footer = "Call us at any time of the day."
    texts = {name: f"# {name}\n\n{footer}\n\nOwn text of {name}." for name in "abc"}
    docs = fill(tmp_path / "docs", **texts)
    config = IngestConfig(boilerplate_documents=3)
    corpus = run(tmp_path / "root", docs, config=config)
    assert [footer in row["text"] for row in rows(corpus).values()] == [True, False, False]
    assert rows(corpus)["b.md#0"]["position"] == "line 5"
    assert rejects(corpus) == {
        name: f'boilerplate: 1 paragraphs or lines, "{footer}" first' for name in ("b.md", "c.md")
    }


def test_work_follows_what_changed(tmp_path: Path) -> None:
    texts = {f"d{number}": f"# T\n\nText number {number}." for number in range(20)}
    docs = fill(tmp_path / "docs", **texts)
    config = IngestConfig(languages=["en"])
    first = run(tmp_path / "root", docs, config=config).facts["work"]
    assert (first["chunked"], first["signatures"], first["languages"]) == (20, 20, 20)
    fill(tmp_path / "docs", d3="# T\n\nChanged.", d20="# T\n\nAdded.", d21=texts["d5"])
    (tmp_path / "docs" / "d7.md").unlink()
    second = run(tmp_path / "root", docs, config=config)
    work = second.facts["work"]
    assert (work["chunked"], work["signatures"], work["languages"]) == (2, 2, 2)
    fresh = run(tmp_path / "fresh", docs, config=config)
    assert fresh.fingerprint == second.fingerprint
    assert fresh.facts["work"]["signatures"] == 20
