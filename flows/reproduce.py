"""reproduce: make a registered version again from what was recorded with it, and compare."""

import contextlib
import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import flow
from pydantic import Field, ValidationError
from pydantic_settings import CliPositionalArg

from flows.dataset import build_dataset
from flows.model import make_model, name_nouns
from flows.outcome import TELLING
from flows.promote import open_registry
from flows.retrain import take_in
from flows.settings import RetrainConfig
from tasks.aliases import find_version
from tasks.config import Config
from tasks.contracts import BurnishError
from tasks.provenance import describe_code, describe_environment
from tasks.registry import CHECKPOINT_TAG, Registry
from tasks.store import without_store

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)

# What decides each noun besides those before it: where to look if it is the first that differs.
DECIDED_BY = {
    "base": "what the base model's name or folder stands for",
    "corpus": "the documents, or the code that reads them",
    "pairs": "the questions and clicks, what a language model answered, or the code behind",
    "triplets": "the code that mines, or the rounding of another processor or library",
    "trained": "the code that trains, or the rounding of another processor or library",
    "healed": "the code that heals, or the rounding of another processor or library",
    "scores": "the code that scores",
    "model": "the code that cuts and saves",
}

# Memos of what endpoints were paid for.
PAID = ("answers", "verdicts", "endpoint_embeddings", "endpoint_dimensions")


class ReproduceConfig(Config):
    """Make a version again with its recorded settings, in a folder of its own, and compare."""

    version: CliPositionalArg[str] = Field(pattern=r"^\d+$")
    """Number of the version."""
    name: str = "burnish"
    """Name of the registered model."""
    root: Path = Path(".burnish")
    """Folder that the model was made in; the copy is made in `reproduced/VERSION` below it."""


def reproduce(config: ReproduceConfig) -> None:
    """Make a version again, show what agrees, and end with an error if anything does not.

    Nothing of the first run is used but what a paid endpoint answered, and nothing is registered.
    Started again, it goes on where it was; to begin anew, delete its folder.

    Raises:
        BurnishError: the version is another one now, or says too little about itself.
    """
    registry = open_registry(config.root, config.name)
    with registry.answering():
        version = find_version(registry, config.version)
    recorded = read_lineage(registry, version)
    folder = registry.root / "reproduced" / config.version
    settings = restore_settings(recorded, folder)
    hand_down_paid(registry.root, folder)
    before = {name: recorded[name] for name in DECIDED_BY if name in recorded}
    before["model"] = version.tags[CHECKPOINT_TAG]
    with without_store(), contextlib.chdir(find_directory(recorded)):
        now = make_again(settings)
    changes = tell_changes(recorded)
    _show(config, before, now, changes)
    different = [name for name, value in before.items() if now[name] != value]
    if different:
        raise BurnishError(
            f"Version {config.version} of {config.name} was not reproduced: the first that differs "
            f"is {different[0]}. Look at {DECIDED_BY[different[0]]}"
            f"{f'; since then {changes}' if changes else ''}. What was made is in {folder}."
        )


def hand_down_paid(root: Path, folder: Path) -> None:
    """Copy to `folder` what endpoints were paid for, each memo whole or not at all."""
    for name in PAID:
        source, target = (one / "memo" / name for one in (root, folder))
        if source.exists() and not target.exists():
            unfinished = target.with_name(f"{name}.unfinished")  # of a killed process, perhaps
            shutil.rmtree(unfinished, ignore_errors=True)
            shutil.copytree(source, unfinished)
            unfinished.rename(target)


@flow(name="reproduce", persist_result=False, **TELLING)
def make_again(config: RetrainConfig) -> dict[str, str]:
    """Run the chain up to the registry; return the fingerprint of each noun."""
    base, listing, stages = take_in(config)
    dataset = build_dataset(base, listing, stages)
    made = make_model(base, dataset, stages)
    named = name_nouns(base, made)
    return named | {"model": made.cut.fingerprint}


def read_lineage(registry: Registry, version: "ModelVersion") -> dict[str, Any]:
    """Return what was recorded when a version was made.

    Raises:
        BurnishError: nothing was.
    """
    import mlflow

    try:
        artifact = f"runs:/{version.run_id}/lineage.json"
        lineage: dict[str, Any] = mlflow.artifacts.load_dict(artifact)
    except (mlflow.MlflowException, OSError) as error:
        raise BurnishError(
            f"Version {version.version} of {registry.name} has no lineage.json in its run: it was "
            "not made by `burnish retrain`, or the run was deleted, so it cannot be made again."
        ) from error
    return lineage


def restore_settings(lineage: dict[str, Any], root: Path) -> RetrainConfig:
    """Return the settings of a lineage as they were, but for the root.

    Raises:
        BurnishError: they are of another version of the code.

    >>> restore_settings({"settings": {"seed": 3, "train.seed": 4}}, Path("again")).train.seed
    4
    """
    nested: dict[str, Any] = {"root": root}
    for name, value in lineage.get("settings", {}).items():
        stage, dot, field = name.partition(".")
        if dot:
            nested.setdefault(stage, {})[field] = value
        else:
            nested[name] = value
    try:
        return RetrainConfig.model_validate(nested)
    except ValidationError as error:
        names = ", ".join(".".join(map(str, one["loc"])) for one in error.errors())
        raise BurnishError(
            f"The recorded settings are of other code than this: {names}. Check out commit "
            f"{lineage.get('commit', 'of that time')} and run again."
        ) from error


def tell_changes(recorded: dict[str, Any]) -> str:
    """Tell how the code and the environment differ from those recorded; empty if they do not."""
    code, environment = describe_code(), describe_environment()
    then = recorded.get("environment", {})
    del environment["directory"]  # the recorded one is gone back to
    packages, known = environment.pop("packages"), dict(then.get("packages", {}))
    told = []
    if recorded.get("code") != code["code"]:  # the same code may be in many commits
        was, now = (f"{one.get('code')} (commit {one.get('commit', 'unknown')})"
                    for one in (recorded, code))  # fmt: skip
        told.append(f"code changed from {was} to {now}")
    told += [
        f"{name} from {then.get(name)} to {value}"
        for name, value in environment.items()
        if then.get(name) != value
    ]
    changed = [
        f"{name} {known.get(name)} to {packages.get(name)}"
        for name in sorted({*packages, *known})
        if known.get(name) != packages.get(name)
    ]
    if changed:
        told.append(f"{len(changed)} packages changed ({', '.join(changed[:5])}"
                    f"{', …' if len(changed) > 5 else ''})")  # fmt: skip
    return ", ".join(told)


def find_directory(recorded: dict[str, Any]) -> Path:
    """Return where the version was made, if it is there: paths are recorded as they were typed.

    Resolved ones would not do: a corpus holds the names of its files as the source was typed.
    """
    directory = Path(recorded.get("environment", {}).get("directory", ""))
    return directory if directory.is_dir() else Path()


def _show(
    config: ReproduceConfig, before: dict[str, str], now: dict[str, str], changes: str
) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", "recorded", "now", "", title=f"Version {config.version} of {config.name}")
    for name, value in before.items():
        table.add_row(name, value, now[name], "the same" if now[name] == value else "[red]differs")
    console = Console(highlight=False, width=100)
    console.print(table)
    console.print(f"Code and environment: {changes or 'the same'}.")
