"""The documents that the command line names: what the deployments start from at first."""

import logging
import os
import re
from collections.abc import Mapping
from typing import Any, get_type_hints

from prefect import Flow

from tasks.config import Config
from tasks.contracts import BurnishError
from tasks.sources.collection import KNOWN
from tasks.sources.hub import OPTIONS as HUB_OPTIONS
from tasks.sources.names import check_secrets, kind_of, local_path, split_name

logger = logging.getLogger(__name__)


class GivenConfig(Config):
    """Documents for the deployments, where nobody has set any in Prefect's UI yet."""

    sources: tuple[str, ...] = ()
    """Where the documents are, as in `burnish retrain`: what every run starts from, and what is
    watched. What is set in Prefect's UI stays."""
    questions: str | None = None
    """Folder of judged questions about the documents, as in `burnish retrain`."""


def describe_documents(given: GivenConfig, *, are_here: bool) -> dict[str, Any]:
    """Return what is given as parameters: they mean the same from wherever a run starts.

    Args:
        given: What the command line names.
        are_here: Runs see what this machine has, so that what is not there is an error.

    Raises:
        BurnishError: a name holds a password, which all would see, or nothing is there.
    """
    sources = [make_absolute(name) for name in given.sources]
    questions = make_absolute(given.questions) if given.questions else ""
    told = {"sources": sources, "questions": questions}
    for name in filter(None, (*sources, questions)):
        check_secrets(name)
        if are_here:
            require(name)
    return {field: value for field, value in told.items() if value}


def require(name: str) -> None:
    """Refuse a folder or file that is not there; what is elsewhere is looked at by the runs.

    Raises:
        BurnishError: it is not there.
    """
    place, _ = split_name(name, KNOWN | HUB_OPTIONS)
    if not kind_of(place) and not re.search(r"[*?\[]", place) and not local_path(place).exists():
        raise BurnishError(
            f"There is no {place}. Name a folder, a glob, a file, or a URL that is there."
        )


def make_absolute(name: str) -> str:
    """Return a path as it is named from anywhere; anything else as it is.

    >>> make_absolute("s3://team/docs"), make_absolute("pydoc:json"), make_absolute("/docs/*.md")
    ('s3://team/docs', 'pydoc:json', '/docs/*.md')
    """
    if kind_of(name) or name.startswith(("file://", "local://")):
        return name
    return os.path.join(os.getcwd(), os.path.expanduser(name))  # noqa: PTH109, PTH111, PTH118


def fill_in(
    flow: Flow[..., Any], parameters: Mapping[str, Any], told: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a deployment's parameters with the documents given where it names none.

    Args:
        flow: What is deployed; one that reads no documents is told of none.
        parameters: As they are known to Prefect.
        told: From `describe_documents`.
    """
    fields = get_type_hints(flow.fn)["config"].model_fields
    config = dict(parameters.get("config") or {})
    for field in ("sources", "questions"):  # in this order: questions are about the sources
        if field not in told or field not in fields:
            continue
        if config.setdefault(field, told[field]) != told[field]:
            logger.warning(
                "%s keeps the %s that Prefect knows: %s. To change them, edit its parameters there",
                flow.name, field, config[field],
            )  # fmt: skip
            break
    return {**parameters, "config": config} if told else dict(parameters)
