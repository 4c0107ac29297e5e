"""What came of a run, in a few words: its name, so that a list of runs tells it all."""

import inspect
import logging
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

from tasks.tracking import hide_password

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.schemas.objects import FlowRun, State

logger = logging.getLogger(__name__)

MOST_CHARACTERS = 90  # of a name: more is cut off in the lists of both UIs
# Why the champion stays, by the check of the gate that failed; the first that did tells.
REASONS = {
    "test questions": "no test question",
    "size": "too large",
    "speed": "too slow",
    "forgotten of what it knew": "forgot too much",
    "free to move": "moved or withdrawn meanwhile",
}


def name_outcome(facts: Mapping[str, Any], champion: str) -> str:
    """Tell in a few words what came of a retraining.

    Args:
        facts: Of the registration.
        champion: The version that is champion now; empty if none is.

    >>> better = {"opponent": "champion", "difference": 0.0312}
    >>> name_outcome({"version": "7", "comparisons": [better], "opponent": "6"}, "7")
    'champion 7: +.031 over 6'
    """
    if champion == facts["version"]:
        return f"champion {champion}: {_tell_gain(facts)}"
    kept = f"kept {champion}" if champion else "no champion"
    if facts.get("champion_moved"):
        return f"{kept}: {facts['version']} was champion before"
    return f"{kept}: {_tell_reason(facts.get('checks', ()), facts.get('comparisons', ()))}"


def _tell_gain(facts: Mapping[str, Any]) -> str:
    gains = {row["opponent"]: row["difference"] for row in facts.get("comparisons", ())}
    if "champion" in gains and facts.get("opponent"):
        return f"{_shorten(gains['champion'])} over {facts['opponent']}"
    return f"{_shorten(gains['base'])} over the base" if "base" in gains else "proven"


def _tell_reason(checks: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> str:
    failed = [check["name"] for check in checks if not check["is_passed"]]
    lost = [row for row in rows if not row["is_beyond_chance"]]
    if lost:
        row = lost[-1]  # the champion, where both are not beaten
        worse = f"worse than the {row['opponent']} ({_shorten(row['difference'])})"
        return worse if row["high"] < 0 else "not beyond chance"
    return next((REASONS[name] for name in failed if name in REASONS), "the gate refused")


def _shorten(difference: float) -> str:
    """Write a difference as tables of scores do.

    >>> _shorten(-0.0126), _shorten(1.0)
    ('-.013', '+1.000')
    """
    return f"{difference:+.3f}".replace("+0.", "+.").replace("-0.", "-.")


def name_failure(error: BaseException | None, message: str = "", what: str = "failed") -> str:
    """Tell in a few words which stage an error ended, and why.

    Args:
        error: What was raised, if it is known.
        message: What the state says, where it is not.
        what: How it ended.
    """
    stage = find_stage(error) if error is not None else ""
    told = str(error) or type(error).__name__ if error is not None else message
    reason = " ".join(hide_password(told).split()).partition(". ")[0].rstrip(".")
    where = f" in {stage}" if stage else ""
    return textwrap.shorten(f"{what}{where}: {reason}", MOST_CHARACTERS, placeholder=" …")


def find_stage(error: BaseException) -> str:
    """Return the name of the stage that an error came out of; empty if it was none."""
    from prefect import Task

    for frame in _frames(error):
        name = frame.f_code.co_name
        found = frame.f_globals.get(name)
        if isinstance(found, Task) and inspect.unwrap(found.fn).__code__ is frame.f_code:
            return name
    return ""


def _frames(error: BaseException) -> Iterator[FrameType]:
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def name_run(words: str, run_id: object = None) -> None:
    """Give the flow run a name that tells its outcome: the run in whose flow this is called.

    A name is a display: that it could not be given is told in the log and ends nothing.
    """
    from prefect.client.orchestration import get_client
    from prefect.runtime import flow_run

    found = run_id or flow_run.id
    if found is None:  # called as a plain function
        return
    try:
        with get_client(sync_client=True) as client:
            client.update_flow_run(found, name=words)  # type: ignore[arg-type]
    except Exception as error:  # noqa: BLE001 - a display must not end the work it shows
        logger.warning("the run could not be named %r: %s", words, error)


def tell_failure(flow: "Flow[..., Any]", flow_run: "FlowRun", state: "State[Any]") -> None:
    """Name a failed run; for a flow's `on_failure`."""
    error = _find_error(state)
    name_run(name_failure(error, state.message or "no reason was told"), flow_run.id)


def tell_crash(flow: "Flow[..., Any]", flow_run: "FlowRun", state: "State[Any]") -> None:
    """Name a run that was ended from outside; for a flow's `on_crashed`, which a worker calls."""
    name_run(name_failure(None, tell_signal(state.message or ""), "crashed"), flow_run.id)


def tell_signal(message: str) -> str:
    """Tell shortly what a worker says at length of a process that was killed.

    >>> tell_signal("Process exited with status code: -9. It exited due to a SIGKILL signal.")
    'killed by SIGKILL: by hand, or out of memory'
    """
    found = re.search(r"due to a (SIG\w+)", message)
    if found is None:
        return message or "ended from outside"
    perhaps = ": by hand, or out of memory" if found[1] == "SIGKILL" else ""
    return f"killed by {found[1]}{perhaps}"


# What every flow that a person starts is given: a run that fails tells why in its name.
TELLING: dict[str, Any] = {"on_failure": [tell_failure], "on_crashed": [tell_crash]}


def _find_error(state: "State[Any]") -> BaseException | None:
    try:
        found = state.result(raise_on_failure=False)
    except Exception:  # noqa: BLE001 - the state of a run that was validated by the server has none
        return None
    return found if isinstance(found, BaseException) else None
