"""Moving aliases: only to what is proven, and a kill at any write leaves a proven champion."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tasks.aliases import (
    PASSED_TAG,
    VERDICT_TAG,
    WITHDRAWN_TAG,
    Aliases,
    crown,
    promote,
    read_aliases,
    roll_back,
)
from tasks.contracts import BurnishError, fingerprint_folder
from tasks.registry import (
    CANDIDATE,
    CHAMPION,
    CHECKPOINT_TAG,
    MODEL_FOLDER,
    PREVIOUS,
    PROOF_TAG,
    Registry,
)

NAME = "burnish"
WRITES = (
    *("create_run", "log_model_artifacts", "set_terminated", "create_registered_model"),
    *("_create_model_version", "update_model_version"),
    *("set_model_version_tag", "delete_model_version_tag", "set_registered_model_alias"),
)


def make_registry(root: Path, versions: int = 3) -> Registry:
    """Register versions of a few bytes, all proven but the last, which passed the gate too."""
    registry = Registry(root, NAME)
    registry.client.create_registered_model(NAME)
    for number in range(1, versions + 1):
        folder = root / f"{number}"
        (folder / MODEL_FOLDER).mkdir(parents=True)
        (folder / MODEL_FOLDER / "weights").write_text(f"{number}")
        checkpoint = fingerprint_folder(folder / MODEL_FOLDER)
        tags = {CHECKPOINT_TAG: checkpoint, PASSED_TAG: "true", VERDICT_TAG: "It is better."}
        if number < versions:
            tags[PROOF_TAG] = json.dumps({"checkpoint": checkpoint})
        registry.client.create_model_version(NAME, folder.as_uri(), tags=tags)
    return registry


def set_aliases(registry: Registry, candidate: str, champion: str, previous: str) -> None:
    for alias, number in zip((CANDIDATE, CHAMPION, PREVIOUS), (candidate, champion, previous),
                             strict=True):  # fmt: skip
        if number:
            registry.client.set_registered_model_alias(NAME, alias, number)
        else:
            registry.client.delete_registered_model_alias(NAME, alias)
    for number in "123":
        if WITHDRAWN_TAG in registry.client.get_model_version(NAME, number).tags:
            registry.client.delete_model_version_tag(NAME, number, WITHDRAWN_TAG)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return make_registry(tmp_path_factory.mktemp("registry"))


class Killed(BaseException):
    """What a kill is to the code that runs: the end."""


def end() -> None:
    raise Killed


def die_before_write(
    patch: pytest.MonkeyPatch, number: int, end: Callable[[], object] = end
) -> None:
    """End the process, as it were, before the `number`-th write to the registry."""
    left = [number]

    def deadly(write: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            if left[0] == 0:
                end()
            left[0] -= 1
            return write(*arguments, **named)

        return call

    for name in WRITES:
        patch.setattr(MlflowClient, name, deadly(getattr(MlflowClient, name)))


def test_the_champion_moves_and_previous_is_what_it_was(registry: Registry) -> None:
    set_aliases(registry, "2", "", "")
    crown(registry, registry.client.get_model_version(NAME, "1"))
    assert read_aliases(registry) == Aliases("2", "1", "")
    assert promote(registry) == Aliases("2", "2", "1")
    assert promote(registry) == Aliases("2", "2", "1")  # no second move, and no loss of `previous`
    assert roll_back(registry) == Aliases("2", "1", "2")


def test_rolled_back_twice_it_stays(registry: Registry) -> None:
    set_aliases(registry, "2", "2", "1")
    roll_back(registry)
    with pytest.raises(BurnishError, match=r"stays version 1: version 2, .* was rolled back from"):
        roll_back(registry)
    # nor does the candidate come back by itself, but by a person who names it
    with pytest.raises(BurnishError, match=r"is refused. It was rolled back .*promote 2"):
        promote(registry)
    assert promote(registry, "2") == Aliases("2", "2", "1")
    assert roll_back(registry) == Aliases("2", "1", "2")


def test_nothing_to_roll_back_to(registry: Registry) -> None:
    set_aliases(registry, "1", "", "")
    with pytest.raises(BurnishError, match="has no champion"):
        roll_back(registry)
    set_aliases(registry, "1", "1", "")
    with pytest.raises(BurnishError, match="no other version was champion before"):
        roll_back(registry)


def test_what_is_not_proven_is_refused(registry: Registry) -> None:
    set_aliases(registry, "2", "1", "")
    with pytest.raises(BurnishError, match="Version 3 of burnish is not proven"):
        promote(registry, "3")
    with pytest.raises(BurnishError, match=r"no version 9; it has 1, 2, 3\."):
        promote(registry, "9")
    # another version's proof is none
    proof = registry.client.get_model_version(NAME, "2").tags[PROOF_TAG]
    registry.client.set_model_version_tag(NAME, "3", PROOF_TAG, proof)
    with pytest.raises(BurnishError, match="not proven"):
        promote(registry, "3")
    assert read_aliases(registry) == Aliases("2", "1", "")


def test_a_bad_candidate_is_refused_with_the_gates_reason(registry: Registry) -> None:
    set_aliases(registry, "2", "1", "")
    tags = {PASSED_TAG: "false", VERDICT_TAG: "Not the champion: -0.2 against the champion's 0.5."}
    for tag, value in tags.items():
        registry.client.set_model_version_tag(NAME, "2", tag, value)
    with pytest.raises(BurnishError, match=r"is refused\. Not the champion: -0\.2 against"):
        promote(registry)
    assert read_aliases(registry).champion == "1"
    assert promote(registry, "2").champion == "2"  # a person's word goes above the gate's
    registry.client.set_model_version_tag(NAME, "2", PASSED_TAG, "true")


@pytest.mark.parametrize("move", [lambda r: promote(r, "1"), roll_back])
def test_files_changed_since_the_proof_are_refused(
    registry: Registry, move: Callable[[Registry], object]
) -> None:
    set_aliases(registry, "2", "2", "1")
    weights = registry.root / "1" / MODEL_FOLDER / "weights"
    weights.write_text("other")
    with pytest.raises(BurnishError, match="other files than were proven"):
        move(registry)
    assert read_aliases(registry) == Aliases("2", "2", "1")
    weights.write_text("1")


@pytest.mark.parametrize(
    ("move", "before", "after"),
    [
        (lambda r: promote(r, "2"), ("2", "1", ""), ("2", "2", "1")),
        (roll_back, ("2", "2", "1"), ("2", "1", "2")),
    ],
)
def test_killed_before_any_write_a_proven_champion_stays_and_the_move_can_be_repeated(
    registry: Registry,
    move: Callable[[Registry], object],
    before: tuple[str, str, str],
    after: tuple[str, str, str],
) -> None:
    for number in range(10):
        set_aliases(registry, *before)
        with pytest.MonkeyPatch.context() as patch:
            die_before_write(patch, number)
            try:
                move(registry)
            except Killed:
                pass
            else:
                break
        aliases = read_aliases(registry)
        assert aliases.champion in {before[1], after[1]}
        assert {*aliases} <= {"1", "2", ""}  # the proven ones
        try:
            move(registry)
        except BurnishError:  # rolled back already
            assert aliases.champion == after[1]
        assert read_aliases(registry).champion == after[1]
    assert number >= 2
    assert read_aliases(registry) == Aliases(*after)
