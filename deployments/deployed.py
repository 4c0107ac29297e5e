"""What is deployed: the flows that a person or a schedule starts, as they are at first."""

from typing import Any, NamedTuple

from prefect import Flow

from flows.evaluate import evaluate
from flows.ingest import ingest
from flows.promote import promote_in_prefect, roll_back_in_prefect
from flows.retrain import retrain


class Deployed(NamedTuple):
    """A flow as it is registered for the first time."""

    flow: Flow[..., Any]
    description: str
    is_heavy: bool = False
    """Works for minutes on a GPU, if there is one: one run at a time, the next one waits."""
    is_nightly: bool = False
    is_triggered: bool = False
    """Starts when documents arrive."""


DEPLOYED = (
    Deployed(
        retrain,
        "Documents in, registered model out. Its nightly schedule is switched off until you "
        "switch it on.",
        is_heavy=True, is_nightly=True, is_triggered=True,
    ),
    Deployed(ingest, "Read the documents as they are now; train nothing."),
    Deployed(
        evaluate, "Score the champion on the documents as they are now; train nothing.",
        is_heavy=True,
    ),
    Deployed(promote_in_prefect, "Make a proven version the champion."),
    Deployed(roll_back_in_prefect, "Make the previous champion champion again."),
)  # fmt: skip

NAMES = tuple(one.flow.name for one in DEPLOYED)
