"""Which cut of a checkpoint its scores speak for, at what price."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .contracts import BurnishError, Scores
from .core.choice import CellRow, Choice, choose_cell
from .core.explanation import explain_unaffordable
from .core.prices import Cell, Price, UnaffordableError
from .core.selection import choose_origin

if TYPE_CHECKING:
    from .core.encoder import Encoder
    from .truncate import TruncateConfig

BYTES_PER_NUMBER = 4  # float32, as vectors leave the model and as an index holds them


def choose(
    exits: Sequence[int], scores: Scores, encoder: "Encoder", config: "TruncateConfig"
) -> Choice:
    """Choose among all that was evaluated at the exits.

    Human queries decide where there are enough, or no more synthetic ones; else these do. Those of
    the dev split alone.

    Raises:
        BurnishError: the scores lack an exit or the time it takes, or nothing keeps the budget.
    """
    rows = _read_dev(scores, exits, config)
    milliseconds = {int(k): float(v) for k, v in scores.facts.get("milliseconds", {}).items()}
    if config.max_milliseconds and (unmeasured := sorted(set(exits) - milliseconds.keys())):
        raise BurnishError(
            f"Scores {scores.fingerprint} do not say how many milliseconds the layers {unmeasured} "
            "take, so --truncate.max-milliseconds cannot be kept. Evaluate again and let it "
            "measure them, or limit --truncate.max-megabytes instead."
        )
    prices = {
        cell: Price(
            gflops=row["cost"],
            megabytes=_count_bytes(encoder, cell.layer) / 1e6,
            bytes_per_vector=BYTES_PER_NUMBER * cell.dimension,
            milliseconds=milliseconds.get(cell.layer),
        )
        for cell, row in rows.items()
    }
    try:
        return choose_cell(
            {cell: row["values"] for cell, row in rows.items()},
            prices,
            own_pooling=encoder.pooling,
            tolerance=config.tolerance,
            budget=config.budget,
            prefer=config.prefer,
            min_queries=config.min_questions,
            resamples=config.resamples,
            seed=config.seed,
        )
    except UnaffordableError as error:
        raise BurnishError(explain_unaffordable(error, config.budget)) from error


def describe_choice(choice: Choice) -> dict[str, Any]:
    """Return the facts of a choice: what was chosen, the runner-up, the best, each with its price.

    `difference`, `low`, and `high` are the loss against the best and its interval.
    """
    second = choice.runner_up
    return {
        **choice.chosen.cell._asdict(),
        "best_layer": choice.best.cell.layer,
        "chosen": _describe(choice.chosen),
        "runner_up": _describe(second) if second else None,
        "best": _describe(choice.best),
        "confidence": choice.confidence,
        "queries": choice.queries,
        "offered": [list(row.cell) for row in choice.rows],
        "over_budget": [list(row.cell) for row in choice.rows if not row.is_affordable],
    }


def _describe(row: CellRow) -> dict[str, Any]:
    loss = {name: getattr(row, name) for name in ("value", "difference", "low", "high")}
    return {**row.cell._asdict(), **loss, **asdict(row.price)}


def _read_dev(
    scores: Scores, exits: Sequence[int], config: "TruncateConfig"
) -> dict[Cell, dict[str, Any]]:
    """Return the rows that decide, by what was scored.

    Raises:
        BurnishError: an exit has none.
    """
    wanted = {"system": "tuned", "split": "dev", "metric": config.metric}
    rows = [
        row
        for row in scores.read().to_pylist()
        if all(row[name] == value for name, value in wanted.items()) and row["layer"] in exits
    ]
    questions = {row["origin"]: len(row["values"]) for row in rows}
    origin = choose_origin(questions, config.min_questions)
    found = {
        Cell(row["layer"], row["pooling"], row["dimension"]): row
        for row in rows
        if row["origin"] == origin
    }
    if missing := sorted(set(exits) - {cell.layer for cell in found}):
        raise BurnishError(
            f"Scores {scores.fingerprint} has no {config.metric} of the tuned model's layers "
            f"{missing} on the dev split. Evaluate every exit, {list(exits)}, on a dev split "
            "with at least one query: give more documents or raise dev_fraction."
        )
    return found


def _count_bytes(encoder: "Encoder", layer: int) -> int:
    """Return the size of the weights of the model cut to `layer`."""
    from .core.layers import find_layers

    dropped = find_layers(encoder.model)[layer:].parameters()
    return sum(
        sign * parameter.numel() * parameter.element_size()
        for sign, parameters in ((1, encoder.model.parameters()), (-1, dropped))
        for parameter in parameters
    )
