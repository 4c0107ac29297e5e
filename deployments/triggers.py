"""The trigger that new documents start a run by."""

import datetime
from uuid import UUID

from prefect.events.actions import RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

from flows.watch import EVENT

TRIGGER = "Burnish: new documents"
DEBOUNCE_SECONDS = 15  # documents that arrive together are one run


def start_for_documents(deployment: UUID) -> AutomationCore:
    """Start one run of a deployment so many seconds after documents began to arrive.

    It counts from the first event, so that documents that never stop coming hold nothing up. What
    arrives in these seconds starts nothing more: the run looks at the sources when it begins, and
    sees all that is there by then. Later events wait as runs for the one before (ENQUEUE).

    It is an automation that belongs to nobody: those that belong to a deployment Prefect deletes
    and makes anew whenever that is registered, and with them what a person has changed.
    """
    window = datetime.timedelta(seconds=DEBOUNCE_SECONDS)
    return AutomationCore(
        name=TRIGGER,
        description=f"Starts one run {DEBOUNCE_SECONDS} seconds after new documents were first "
        "told of. The run trains only if the policy finds them worth it.",
        trigger=EventTrigger(
            posture=Posture.Reactive,
            expect={EVENT},
            match={"prefect.resource.id": "corpus.*"},
            threshold=1,
            within=window,
        ),
        actions=[
            RunDeployment(
                source="selected",
                deployment_id=deployment,
                job_variables=None,
                schedule_after=window,
                parameters={"when": "needed"},  # beside those of the deployment, which stay
            )
        ],
    )
