"""What new documents lead to."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from tasks.contracts import Corpus
from tasks.policy import Change, PolicyConfig, compare, decide

LITTLE, SOME, MUCH = (Change(1, 0, 0, share) for share in (0.009, 0.01, 0.05))


def make(root: Path, texts: dict[str, list[str]]) -> Corpus:
    rows = [
        {
            "passage_id": f"{name}#{number}", "document_id": name, "source": name, "title": name,
            "section": "", "position": "", "text": text, "cluster": f"{name}#{number}",
        }
        for name, parts in texts.items()
        for number, text in enumerate(parts)
    ]  # fmt: skip
    return Corpus.write(root, rows)


def test_documents_are_counted_and_passages_weighed(tmp_path: Path) -> None:
    before = make(tmp_path, {"a": ["one", "two"], "b": ["three"], "c": ["four", "four"]})
    after = make(tmp_path, {"a": ["one", "other"], "c": ["four", "four"], "d": ["five"]})
    assert compare(before, before) == Change(0, 0, 0, 0)
    # of five passages `one` and both `four` are in both
    assert compare(before, after) == Change(1, 1, 1, pytest.approx(0.4))
    assert compare(after, before).share == pytest.approx(0.4)


def test_what_is_done_grows_with_what_changed() -> None:
    config = PolicyConfig()
    acts = [decide(change, None, config).act for change in (None, LITTLE, SOME, MUCH)]
    assert acts == ["retrain", "ingest", "mine", "retrain"]
    assert decide(Change(0, 0, 0, 0), None, config).act == "nothing"
    # a document of the same passages under another name is still to be found
    assert decide(Change(1, 0, 1, 0), None, config).act == "ingest"


def test_a_champion_that_finds_less_is_trained_anew_unless_nobody_asks() -> None:
    assert decide(LITTLE, 0.06, PolicyConfig()).act == "retrain"
    assert decide(LITTLE, 0.05, PolicyConfig()).act == "ingest"
    assert decide(LITTLE, -0.5, PolicyConfig()).act == "ingest"
    assert decide(LITTLE, 0.5, PolicyConfig(max_drop=None)).act == "ingest"


def test_every_reason_tells_figures() -> None:
    reason = decide(Change(3, 2, 1, 0.034), None, PolicyConfig()).reason
    assert reason == (
        "mine: 3 documents added, 2 changed, 1 removed: 3.4 % of the passages, at least 1 %"
    )


def test_shares_are_in_order() -> None:
    with pytest.raises(ValidationError, match="at most retrain_share"):
        PolicyConfig(mine_share=0.2, retrain_share=0.1)
