"""The trigger that new documents start a run by."""

import datetime

from prefect.events import DeploymentEventTrigger

from flows.watch import EVENT


def arrivals(seconds: int) -> DeploymentEventTrigger:
    """Start one run so many seconds after documents began to arrive.

    It counts from the first event, so that documents that never stop coming hold nothing up. What
    arrives in these seconds starts nothing more: the run looks at the sources when it begins, and
    sees all that is there by then. Later events wait as runs for the one before (ENQUEUE).

    Args:
        seconds: That events of a burst are waited for.
    """
    window = datetime.timedelta(seconds=seconds)
    return DeploymentEventTrigger(
        name="Burnish: new documents",
        expect={EVENT},
        match={"prefect.resource.id": "corpus.*"},
        threshold=1,
        within=window,
        schedule_after=window,
        parameters={"when": "needed"},  # beside those of the deployment, which stay
    )
