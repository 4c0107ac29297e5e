"""What a person has changed of a deployment in Prefect's UI, as it is handed back to Prefect."""

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_type_hints

from prefect import Flow
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from prefect.client.schemas.responses import DeploymentResponse

logger = logging.getLogger(__name__)

SCHEDULE = ("schedule", "active", "max_scheduled_runs", "parameters", "slug")


def keep_edits(known: "DeploymentResponse", flow: Flow[..., Any]) -> dict[str, Any]:
    """Return all that a person can have set, as arguments of `to_deployment`.

    Schedules are always taken as they are, also where there is none left.
    """
    return {
        "schedules": [
            DeploymentScheduleCreate(**{name: getattr(one, name) for name in SCHEDULE})
            for one in known.schedules
        ],
        "parameters": drop_unknown(known.parameters, flow),
        "paused": known.paused,
        "tags": list(known.tags),
        "concurrency_limit": keep_concurrency(known),
        "work_pool_name": known.work_pool_name,
        "work_queue_name": known.work_queue_name,
        "job_variables": known.job_variables,
    }


def keep_concurrency(known: "DeploymentResponse") -> ConcurrencyLimitConfig | None:
    """Return how many runs at once a person allows, and what becomes of the others."""
    limit, options = known.global_concurrency_limit, known.concurrency_options
    if limit is None:
        return None
    if options is None:
        return ConcurrencyLimitConfig(limit=limit.limit)
    return ConcurrencyLimitConfig(limit=limit.limit, collision_strategy=options.collision_strategy)


def drop_unknown(parameters: Mapping[str, Any], flow: Flow[..., Any]) -> dict[str, Any]:
    """Return the parameters without those that this version of the code no longer takes.

    Prefect would refuse the whole deployment for one of them. Each is told.
    """
    kept = dict(parameters)
    for name, kind in get_type_hints(flow.fn).items():
        if (
            isinstance(kind, type)
            and issubclass(kind, BaseModel)
            and isinstance(kept.get(name), Mapping)
        ):
            kept[name] = _drop(kept[name], kind, f"{flow.name}: {name}")
    return kept


def _drop(value: Mapping[str, Any], kind: type[BaseModel], where: str) -> dict[str, Any]:
    while True:
        try:
            kind.model_validate(value)
            return dict(value)
        except ValidationError as error:
            places = [_find(value, one["loc"]) for one in error.errors()]
            if not all(places):  # it lacks something, which the server will say
                return dict(value)
            for place in places:
                logger.warning(
                    "%s.%s is set in the UI to what this version does not take; it is left out, "
                    "set it anew", where, ".".join(place),
                )  # fmt: skip
                value = _without(value, place)


def _find(value: Mapping[str, Any], place: Sequence[int | str]) -> list[str]:
    """Return the part of a place that names fields which are there.

    >>> _find({"train": {"loss": "magic"}}, ("train", "loss", "literal"))
    ['train', 'loss']
    """
    found: list[str] = []
    inner: Any = value
    for name in place:
        if not isinstance(inner, Mapping) or name not in inner:
            break
        found.append(str(name))
        inner = inner[name]
    return found


def _without(value: Mapping[str, Any], place: Sequence[str]) -> dict[str, Any]:
    """Leave out one field, if it is there still.

    >>> _without({"train": {"loss": "magic", "seed": 1}}, ["train", "loss"])
    {'train': {'seed': 1}}
    """
    name, *rest = place
    if rest and isinstance(value.get(name), Mapping):
        return {**value, name: _without(value[name], rest)}
    return {key: inner for key, inner in value.items() if key != name}
