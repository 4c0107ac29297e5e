"""A run that new documents start does what they are worth, and says why."""

from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client

from flows.command import parse
from flows.needed import find_drop
from flows.retrain import list_documents, retrain, see, take_in
from flows.settings import RetrainConfig
from flows.state import find_trained, read_last_corpus, read_seen
from tasks.registry import CANDIDATE, CHAMPION, Registry
from tests.small_corpus import write_documents


@pytest.fixture
def config(options: list[str], tmp_path: Path) -> RetrainConfig:
    """Give the settings of a run that has trained on sixty documents."""
    write_documents(tmp_path / "docs")
    others = [one for one in options if not one.startswith(("--sources", "--root"))]
    found = parse(["retrain", *others, f"--sources={tmp_path}/docs", f"--root={tmp_path}/root"])
    assert isinstance(found, RetrainConfig)
    assert retrain(found) is not None
    return found


def name_last_run() -> str:
    sought = {"flows": {"name": {"any_": ["retrain"]}}, "sort": "START_TIME_DESC", "limit": 1}
    with get_client(sync_client=True) as client:
        (run,) = client.request("POST", "/flow_runs/filter", json=sought).json()
    return str(run["name"])


def set_policy(config: RetrainConfig, **policy: Any) -> RetrainConfig:  # noqa: ANN401
    return config.model_copy(update={"policy": config.policy.model_copy(update=policy)})


def is_covered(config: RetrainConfig) -> bool:
    sight = see(config, list_documents(config))
    return read_seen(config.root.resolve(), sight.sources) == sight.content


def test_a_champion_is_found_wanting_by_enough_questions_alone(config: RetrainConfig) -> None:
    inputs, trained = take_in(config), find_trained(config.root.resolve())
    assert trained is not None

    def find(min_questions: int) -> float | None:
        stages = set_policy(inputs.stages, min_questions=min_questions)
        return find_drop(inputs._replace(stages=stages), trained.corpus, trained)

    registry = Registry(trained.corpus.root, config.registry.name)
    candidate = registry.find(CANDIDATE)
    assert candidate is not None
    if registry.find(CHAMPION) is None:
        assert find(1) is None
    registry.client.set_registered_model_alias(registry.name, CHAMPION, candidate.version)
    assert find(1) == 0  # on the very documents of the training
    assert find(10_000) is None


def test_it_reads_then_mines_then_trains(config: RetrainConfig) -> None:
    docs, root = Path(config.sources[0]), config.root.resolve()
    assert is_covered(config)
    assert retrain(config, "needed") is None
    assert name_last_run() == "nothing new since the last training"

    text = (docs / "00.md").read_text()
    (docs / "new.md").write_text(text.replace("# ", "# Another ") + "\nAnd a sentence more.\n")
    assert not is_covered(config)
    before = {noun: len(list((root / noun).iterdir())) for noun in ("candidates", "checkpoint")}

    assert retrain(set_policy(config, mine_share=0.5, retrain_share=0.5), "needed") is None
    assert name_last_run().startswith("ingest only: 1 documents added, 0 changed, 0 removed")
    assert is_covered(config)
    assert read_last_corpus(root).facts["documents"] == 61
    assert len(list((root / "candidates").iterdir())) == before["candidates"]

    # what the last training saw decides, not what was last read: small changes add up
    assert retrain(set_policy(config, mine_share=0.01, retrain_share=0.5), "needed") is None
    assert name_last_run().startswith("mine: 1 documents added")
    assert len(list((root / "candidates").iterdir())) > before["candidates"]
    assert len(list((root / "checkpoint").iterdir())) == before["checkpoint"]

    trained = find_trained(root)
    assert trained is not None
    assert trained.corpus.facts["documents"] == 60
    assert retrain(set_policy(config, mine_share=0.01, retrain_share=0.01), "needed") is not None
    trained = find_trained(root)
    assert trained is not None
    assert trained.corpus.facts["documents"] == 61
    assert retrain(config, "needed") is None
