"""ingest and evaluate alone: the documents of today, and how the champion does on them."""

import json
from pathlib import Path
from typing import Any

import pytest

from flows.command import parse, run
from flows.evaluate import ScoreConfig, tabulate_pair
from flows.state import read_last_corpus
from tasks.adopt import adopt
from tasks.contracts import fingerprint_folder
from tasks.registry import CHAMPION, CHECKPOINT_TAG, MODEL_FOLDER, PROOF_TAG, Registry
from tests.flows.test_command import fails


@pytest.fixture(scope="module")
def root(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a root in whose registry the base itself is champion."""
    root = tmp_path_factory.mktemp("registry") / "root"
    registry = Registry(root, "burnish")
    folder = root / "1" / MODEL_FOLDER
    folder.parent.mkdir()
    adopt(str(base), root).path.rename(folder)
    (folder / "manifest.json").unlink()
    checkpoint = fingerprint_folder(folder)
    tags = {CHECKPOINT_TAG: checkpoint, PROOF_TAG: json.dumps({"checkpoint": checkpoint})}
    registry.client.create_registered_model("burnish")
    registry.client.create_model_version("burnish", folder.parent.as_uri(), tags=tags)
    registry.client.set_registered_model_alias("burnish", CHAMPION, "1")
    return root


def artifact(key: str) -> str:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        found = client.request("POST", "/artifacts/latest/filter", json={"limit": 50}).json()
    (text,) = [one["data"] for one in found if one["key"] == key]
    return str(text)


def test_ingest_alone_makes_the_corpus_that_is_searched(
    base: Path, documents: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["ingest", f"--base={base}", f"--sources={documents}", f"--root={tmp_path}/root"])
    assert "Read 60 documents" in " ".join(capsys.readouterr().out.split())
    corpus = read_last_corpus(tmp_path / "root")
    assert corpus.facts["documents"] == 60
    assert not (tmp_path / "root" / "pairs").exists()
    assert "**Read** 60 documents" in artifact("ingest-summary")


def test_a_champion_is_scored_on_todays_documents(
    root: Path, base: Path, documents: Path, questions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(
        ["evaluate", f"--base={base}", f"--sources={documents}", f"--questions={questions}",
         f"--root={root}", "--evaluate.resamples=200"]
    )  # fmt: skip
    told = artifact("evaluate-summary")
    assert "# Version 1 of burnish (champion) on today's documents" in told
    assert "60 documents" in told
    lines = [line for line in told.splitlines() if line.startswith(("| dev", "| test"))]
    assert {line.split("|")[1].strip() for line in lines} >= {"dev, people's", "test, people's"}
    for line in lines:  # the champion is the base here
        assert line.endswith("| +0.000 (+0.000 to +0.000) |")
    assert "today's documents" in " ".join(capsys.readouterr().out.split())
    assert not (root / "triplets").exists()


def test_without_a_version_there_is_nothing_to_score(
    base: Path, documents: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = fails(
        ["evaluate", f"--base={base}", f"--sources={documents}", f"--root={tmp_path}"], capsys
    )
    assert "Run `burnish retrain` first" in told


def test_the_difference_is_between_the_same_questions() -> None:
    def row(value: float, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
        return {
            "split": "test", "origin": "structure", "metric": "ndcg@10", "value": value,
            "low": value - 0.1, "high": value + 0.1, "values": [value - 0.1, value + 0.1],
        } | changes  # fmt: skip

    other = row(0.1, metric="mrr@10")
    told = tabulate_pair([other, row(0.7)], [row(0.5), other])
    assert told.splitlines()[-1] == (
        "| test, made | 2 | 0.700 (0.600 to 0.800) | 0.500 (0.400 to 0.600) | "
        "+0.200 (+0.200 to +0.200) |"
    )


def test_its_settings_are_those_of_the_whole_chain() -> None:
    parsed = parse(["evaluate", "--synthesize.queries-per-passage=2", "--name=docs"])
    assert isinstance(parsed, ScoreConfig)
    assert (parsed.synthesize.queries_per_passage, parsed.name) == (2, "docs")
