"""The `burnish` command: the flows' own settings are its options."""

import logging
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from pydantic import BaseModel, ValidationError
from pydantic_settings import (
    BaseSettings,
    CliApp,
    CliSubCommand,
    SettingsConfigDict,
    get_subcommand,
)

from deployments.register import DeployConfig, deploy
from deployments.up import UpConfig, up
from flows.evaluate import ScoreConfig, evaluate
from flows.ingest import ReadConfig, ingest
from flows.promote import PromoteConfig, RollbackConfig, promote_version, roll_back_version
from flows.reproduce import ReproduceConfig, reproduce
from flows.retrain import retrain
from flows.search import SearchConfig, search
from flows.settings import RetrainConfig
from flows.watch import WatchConfig, watch
from tasks.contracts import BurnishError

NAMES = ("--sources", "--clicks")  # options whose values are names, in which a comma is a comma


class Burnish(BaseSettings):
    """Polish an embedding model on your documents, keep the layers it needs, publish it."""

    model_config = SettingsConfigDict(
        cli_prog_name="burnish", cli_kebab_case=True, cli_implicit_flags=True,
        cli_hide_none_type=True, cli_parse_none_str="none",
        cli_avoid_json=True, use_attribute_docstrings=True, extra="forbid",
    )  # fmt: skip

    retrain: CliSubCommand[RetrainConfig]
    """Documents in, registered model out. With no options: Python's own documentation."""
    up: CliSubCommand[UpConfig]
    """Start all that a team leaves running: Prefect, MLflow, the deployments, their workers."""
    watch: CliSubCommand[WatchConfig]
    """Notice new documents, and start a run for them."""
    deploy: CliSubCommand[DeployConfig]
    """Register the deployments with a Prefect server that runs already."""
    ingest: CliSubCommand[ReadConfig]
    """Read the documents as they are now; train nothing."""
    evaluate: CliSubCommand[ScoreConfig]
    """Score the champion on the documents as they are now; train nothing."""
    search: CliSubCommand[SearchConfig]
    """Search the last corpus with the champion."""
    promote: CliSubCommand[PromoteConfig]
    """Make a proven version the champion; without a number the candidate."""
    rollback: CliSubCommand[RollbackConfig]
    """Make the previous champion champion again."""
    reproduce: CliSubCommand[ReproduceConfig]
    """Make a version again with its recorded settings, and compare."""


RUNS: dict[type[BaseModel], Callable[[Any], object]] = {
    RetrainConfig: retrain,
    UpConfig: up,
    WatchConfig: watch,
    DeployConfig: deploy,
    ReadConfig: ingest,
    ScoreConfig: evaluate,
    SearchConfig: search,
    PromoteConfig: promote_version,
    RollbackConfig: roll_back_version,
    ReproduceConfig: reproduce,
}


def run(arguments: list[str]) -> None:
    """Parse the arguments and run the flow they name; errors a person can mend end in one line."""
    command = parse(arguments)
    _show_log()
    try:
        RUNS[type(command)](command)
    except BurnishError as error:
        _end(str(error))


def main() -> None:
    """Entry point of `burnish`."""
    run(sys.argv[1:])


def parse(arguments: list[str]) -> BaseModel:
    """Return the settings of the command that the arguments name; end where they are wrong."""
    try:
        parsed = CliApp.run(
            Burnish, cli_args=keep_commas(arguments) or ["--help"], cli_cmd_method_name="_nothing"
        )
    except ValidationError as error:
        lines = [
            f"  --{'.'.join(map(str, e['loc'][1:])).replace('_', '-')}: {e['msg']}"
            for e in error.errors()
        ]
        _end("These options are wrong:\n" + "\n".join(lines) + "\nSee --help.")
    command = get_subcommand(parsed)
    assert isinstance(command, BaseModel)
    return command


def keep_commas(arguments: list[str]) -> list[str]:
    """Quote the names of sources, which the parser would split at commas.

    >>> keep_commas(["retrain", "--sources", "a, b.md", "--clicks=c,d.csv", "--seed", "1"])
    ['retrain', '--sources', '"a, b.md"', '--clicks="c,d.csv"', '--seed', '1']
    """
    kept: list[str] = []
    for before, argument in zip(["", *arguments], arguments, strict=False):
        option, mark, value = argument.partition("=")
        if before in NAMES:
            kept.append(_quote(argument))
        else:
            kept.append(f"{option}={_quote(value)}" if mark and option in NAMES else argument)
    return kept


def _quote(value: str) -> str:
    return value if '"' in value or value.endswith("\\") else f'"{value}"'


def _show_log() -> None:
    """Show what stages say as Prefect shows its own: one line each, with the time."""
    handler = logging.StreamHandler()
    form = "%(asctime)s.%(msecs)03d | %(levelname)-7s | %(message)s"
    handler.setFormatter(logging.Formatter(form, datefmt="%H:%M:%S"))
    for name in ("tasks", "flows", "deployments"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
        logger.propagate = False
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(_leave_out_trace)
    for name in ("httpx", "openai", "alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _leave_out_trace(record: logging.LogRecord) -> bool:
    """Drop Prefect's traceback of an error that a person can mend: it is told in one line."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, BurnishError)


def _end(message: str) -> NoReturn:
    logging.getLogger(__name__).debug("ended by an error", exc_info=True)
    sys.stderr.write(f"\nburnish: {message}\n")
    raise SystemExit(1)
