"""The policy of new documents: what is worth doing once some of them changed."""

from collections import Counter
from typing import Literal, NamedTuple

from pydantic import Field, model_validator

from .config import Config
from .contracts import BurnishError, Corpus

Act = Literal["nothing", "ingest", "mine", "retrain"]


class PolicyConfig(Config):
    """What new documents lead to; a person or a schedule that starts a run retrains always."""

    mine_share: float = Field(default=0.01, ge=0, le=1)
    """From this share of passages on that came, went, or changed since the last training, queries
    are made and hard negatives mined; below it documents are only read, and are found by search."""
    retrain_share: float = Field(default=0.05, ge=0, le=1)
    """From this share of passages on that came, went, or changed since the last training, a model
    is trained. Small changes add up until it is reached."""
    max_drop: float | None = Field(default=0.05, ge=0, le=1)
    """A model is trained, however little changed, once the champion's dev nDCG@10 is lower by more
    than this than it was on the documents of the last training; none does not look."""

    min_questions: int = Field(default=30, ge=1)
    """On fewer dev questions than this that are people's, or else made, a lower score tells
    nothing: one new document may move it as far."""

    @model_validator(mode="after")
    def _check_order(self) -> "PolicyConfig":
        if self.mine_share > self.retrain_share:
            raise ValueError("mine_share is the smaller one: at most retrain_share")
        return self


class Change(NamedTuple):
    """How one corpus differs from an earlier one."""

    added: int
    """Documents."""
    changed: int
    removed: int
    share: float
    """Of passages: those that are not in both, of the larger corpus."""

    def __str__(self) -> str:
        return (
            f"{self.added:,} documents added, {self.changed:,} changed, {self.removed:,} removed: "
            f"{100 * self.share:.1f} % of the passages"
        )


class Decision(NamedTuple):
    """What is done, and why, for a person to read."""

    act: Act
    reason: str


def compare(before: Corpus, after: Corpus) -> Change:
    """Count what came, went, and changed between two corpora.

    Raises:
        BurnishError: one of them is gone.
    """
    old, new = _read(before), _read(after)
    both = old.keys() & new.keys()
    common = sum((old[name] & new[name]).total() for name in both)
    largest = max(sum(map(Counter.total, old.values())), sum(map(Counter.total, new.values())), 1)
    return Change(
        added=len(new.keys() - both),
        changed=sum(old[name] != new[name] for name in both),
        removed=len(old.keys() - both),
        share=1 - common / largest,
    )


def _read(corpus: Corpus) -> dict[str, Counter[tuple[str, str, str]]]:
    documents: dict[str, Counter[tuple[str, str, str]]] = {}
    if corpus.path.name != corpus.fingerprint:
        raise BurnishError(f"The corpus in {corpus.path} is not the one that it was signed as.")
    table = corpus.read().select(["document_id", "title", "section", "text"])
    for row in table.to_pylist():
        text = (row["title"], row["section"], row["text"])
        documents.setdefault(row["document_id"], Counter())[text] += 1
    return documents


def decide(change: Change | None, drop: float | None, config: PolicyConfig) -> Decision:
    """Choose what new documents lead to.

    Args:
        change: Since the last training; None if there was none.
        drop: Of the champion's dev nDCG@10 since then; None if that is not known.
        config: Settings.

    >>> decide(Change(3, 1, 0, 0.02), None, PolicyConfig()).act
    'mine'
    >>> decide(Change(3, 1, 0, 0.002), 0.08, PolicyConfig()).reason
    'retrain: the champion finds less than it did: nDCG@10 -0.080, more than 0.05'
    """
    if change is None:
        return Decision("retrain", "retrain: nothing was trained here yet")
    if drop is not None and config.max_drop is not None and drop > config.max_drop:
        told = f"nDCG@10 {-drop:+.3f}, more than {config.max_drop:g}"
        return Decision("retrain", f"retrain: the champion finds less than it did: {told}")
    if change.share == 0 and change.added + change.changed + change.removed == 0:
        return Decision("nothing", "nothing new since the last training")
    steps: tuple[tuple[Act, float], ...] = (
        ("retrain", config.retrain_share),
        ("mine", config.mine_share),
    )
    for act, least in steps:
        if change.share >= least:
            return Decision(act, f"{act}: {change}, at least {100 * least:g} %")
    return Decision("ingest", f"ingest only: {change}, below {100 * config.mine_share:g} %")
