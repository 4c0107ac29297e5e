"""Which version is the champion, moved so that a kill at any moment leaves a proven one there."""

import datetime
from typing import TYPE_CHECKING, NamedTuple

from .contracts import BurnishError
from .registry import CANDIDATE, CHAMPION, PREVIOUS, Registry, read_proof

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

PASSED_TAG = "burnish.passed"  # `true` or `false`: what the gate decided
VERDICT_TAG = "burnish.verdict"  # and why, for a person to read
WITHDRAWN_TAG = "burnish.withdrawn"  # when a person rolled back from it; no run promotes it again


class Aliases(NamedTuple):
    """The numbers of the versions that the aliases point to; empty where they point to none."""

    candidate: str
    champion: str
    previous: str


def read_aliases(registry: Registry) -> Aliases:
    """Return where the aliases point."""
    found = [registry.find(alias) for alias in (CANDIDATE, CHAMPION, PREVIOUS)]
    return Aliases(*(str(version.version) if version else "" for version in found))


def crown(registry: Registry, version: "ModelVersion") -> None:
    """Make a proven version the champion; `previous` is what it replaces. Needs the lock.

    `previous` goes first: killed in between, both are the old champion.

    Raises:
        BurnishError: the version is not proven.
    """
    require_proven(registry, version)
    number, champion = str(version.version), read_aliases(registry).champion
    if champion == number:
        return
    if champion:
        registry.client.set_registered_model_alias(registry.name, PREVIOUS, champion)
    registry.client.set_registered_model_alias(registry.name, CHAMPION, number)


def promote(registry: Registry, number: str = "") -> Aliases:
    """Make a version champion because a person says so; return where the aliases point then.

    Args:
        registry: The registered model.
        number: The version; it is the person's word against the gate's. By default the candidate,
            which has to have passed the gate.

    Raises:
        BurnishError: there is no such version, it is not proven, its files were changed since, or
            the candidate did not pass the gate.
    """
    with registry.locked():
        version = find_version(registry, number) if number else _find_candidate(registry)
        require_proven(registry, version)
        with registry.download(version):
            pass  # refuses what is not as it was proven
        if WITHDRAWN_TAG in version.tags:
            registry.client.delete_model_version_tag(registry.name, version.version, WITHDRAWN_TAG)
        crown(registry, version)
        return read_aliases(registry)


def roll_back(registry: Registry) -> Aliases:
    """Make the previous champion champion again; return where the aliases point then.

    The one that goes is marked as withdrawn, so that no run promotes it again, and becomes
    `previous`. Doing it twice, as after a connection that broke, does not bring it back.

    Raises:
        BurnishError: there is none to go back to, or its files were changed since it was proven.
    """
    name, client = registry.name, registry.client
    with registry.locked():
        champion = registry.find(CHAMPION)
        if champion is None:
            raise BurnishError(f"{name} has no champion, so there is nothing to roll back.")
        previous = _find_previous(registry, champion)
        require_proven(registry, previous)
        with registry.download(previous):
            pass  # refuses what is not as it was proven
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes")
        client.set_model_version_tag(name, champion.version, WITHDRAWN_TAG, now)
        client.set_registered_model_alias(name, CHAMPION, previous.version)
        client.set_registered_model_alias(name, PREVIOUS, champion.version)
        return read_aliases(registry)


def require_proven(registry: Registry, version: "ModelVersion") -> None:
    """Refuse a version that no new process has loaded from the registry and found as it was made.

    Raises:
        BurnishError: it is not proven.
    """
    if not read_proof(version):
        raise BurnishError(
            f"Version {version.version} of {registry.name} is not proven: no new process has "
            "loaded it from the registry and found the model that was logged. Run `burnish "
            "retrain` with the settings that made it; it proves what is there already."
        )


def find_version(registry: Registry, number: str) -> "ModelVersion":
    """Return a version by its number.

    Raises:
        BurnishError: there is none.
    """
    versions = {str(version.version): version for version in registry.list_versions()}
    if number in versions:
        return versions[number]
    raise BurnishError(
        f"{registry.name} has no version {number}; it has {', '.join(versions) or 'none yet'}. "
        "Give one of these, or another --name."
    )


def _find_candidate(registry: Registry) -> "ModelVersion":
    candidate = registry.find(CANDIDATE)
    if candidate is None:
        raise BurnishError(
            f"No version of {registry.name} is registered and proven. Run `burnish retrain` first."
        )
    withdrawn = candidate.tags.get(WITHDRAWN_TAG)
    if withdrawn or candidate.tags.get(PASSED_TAG) != "true":
        reason = candidate.tags.get(VERDICT_TAG) or "The gate's decision was never written."
        if withdrawn:
            reason = f"It was rolled back from on {withdrawn}."
        raise BurnishError(
            f"Version {candidate.version} of {registry.name}, the candidate, is refused. {reason} "
            f"To overrule this, name it: `burnish promote {candidate.version}`."
        )
    return candidate


def _find_previous(registry: Registry, champion: "ModelVersion") -> "ModelVersion":
    previous = registry.find(PREVIOUS)
    reason = ""
    if previous is None:
        reason = "no other version was champion before"
    elif previous.version == champion.version:
        reason = "it is the previous one already"
    elif WITHDRAWN_TAG in previous.tags:
        when = previous.tags[WITHDRAWN_TAG]
        reason = f"version {previous.version}, the one before, was rolled back from on {when}"
    if previous is None or reason:
        raise BurnishError(
            f"The champion of {registry.name} stays version {champion.version}: {reason}. "
            "If another is wanted, name it: `burnish promote VERSION`."
        )
    return previous
