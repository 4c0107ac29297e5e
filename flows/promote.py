"""promote and rollback: a person moves the alias `champion`, by one command each."""

from pathlib import Path

from prefect import flow
from pydantic import Field
from pydantic_settings import CliPositionalArg

from flows.announce import announce_move
from flows.outcome import TELLING
from tasks.aliases import Aliases, promote, read_aliases, roll_back
from tasks.config import Config
from tasks.contracts import BurnishError
from tasks.registry import Registry
from tasks.tracking import find_address


class PromoteConfig(Config):
    """Make a proven version the champion; the one it replaces becomes `previous`."""

    version: CliPositionalArg[str] = Field(default="", pattern=r"^\d*$")
    """Number of the version. By default the candidate, if it passed the gate; a number overrules
    the gate, but nothing makes a version champion that was not proven."""
    name: str = "burnish"
    """Name of the registered model."""
    root: Path = Path(".burnish")
    """Folder that the model was made in."""


class RollbackConfig(Config):
    """Make the previous champion champion again; no run promotes the one that goes."""

    name: str = "burnish"
    """Name of the registered model."""
    root: Path = Path(".burnish")
    """Folder that the model was made in."""


def promote_version(config: PromoteConfig) -> None:
    """Move the champion to a version and tell what moved.

    Raises:
        BurnishError: the version is refused; the message says why.
    """
    registry = open_registry(config.root, config.name)
    with registry.answering():
        before = read_aliases(registry)
        after = promote(registry, config.version)
    announce_move(registry.name, before.champion, after.champion, "A person promoted it.")
    _tell(registry, before, after)


def roll_back_version(config: RollbackConfig) -> None:
    """Move the champion back and tell what moved.

    Raises:
        BurnishError: there is nothing to go back to.
    """
    registry = open_registry(config.root, config.name)
    with registry.answering():
        before = read_aliases(registry)
        after = roll_back(registry)
    announce_move(registry.name, before.champion, after.champion, "A person rolled back to it.")
    _tell(registry, before, after)


@flow(name="promote", persist_result=False, **TELLING)
def promote_in_prefect(config: PromoteConfig) -> None:
    """Make a proven version the champion; the one it replaces becomes `previous`."""
    promote_version(config)


@flow(name="rollback", persist_result=False, **TELLING)
def roll_back_in_prefect(config: RollbackConfig) -> None:
    """Make the previous champion champion again; no run promotes the one that goes."""
    roll_back_version(config)


def open_registry(root: Path, name: str) -> Registry:
    """Return the registry that is there; it is not made.

    Raises:
        BurnishError: nothing was registered below this root.
    """
    root = root.expanduser().resolve()
    if (
        find_address(root) == f"sqlite:///{root / 'mlflow.db'}"
        and not (root / "mlflow.db").exists()
    ):
        raise BurnishError(
            f"Nothing was registered below {root} yet. Give --root or set MLFLOW_TRACKING_URI, or "
            "run `burnish retrain` first."
        )
    return Registry(root, name)


def _tell(registry: Registry, before: Aliases, after: Aliases) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{registry.name}, in {registry.shown}")
    for alias, old, new in zip(Aliases._fields, before, after, strict=True):
        moved = f"version {new or 'none'}" if old == new else (
            f"version {old or 'none'} -> [bold]{new}[/bold]")  # fmt: skip
        console.print(f"  {alias:<10} {moved}")
    if before == after:
        console.print(f"Version {after.champion} is the champion already.")
    else:
        console.print(f"Pull it as models:/{registry.name}@champion.")
