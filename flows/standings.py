"""How well every system does, what was kept and at what price: tables in Markdown."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tasks.contracts import GENERAL, PLAIN, Checkpoint
from tasks.core.explanation import name_cell, shorten
from tasks.core.prices import Cell
from tasks.core.statistics import paired_bootstrap
from tasks.report import Row, keep_one_way, pick

if TYPE_CHECKING:
    from flows.model import Model

ROLES = {"chosen": "**chosen**", "runner_up": "runner-up", "best": "best on dev"}


def tell_scores(rows: list[Row], facts: Mapping[str, Any]) -> list[str]:
    """Tell base against tuned per layer, for every kind of test question there is.

    A layer that nobody trained shows what the tuned model is worth if it is plainly cut there. Of
    several poolings and lengths a layer shows the one that is best on dev, and what was chosen,
    came second, and was best.

    Args:
        rows: Rows of `Scores`, the champion's included.
        facts: Of the cut checkpoint.
    """
    sections = []
    for origin in ("human", "synthetic"):
        found = [row for row in rows if row["origin"] == origin and row["split"] == "test"]
        shown = [row for row in found if row["metric"] == "ndcg@10"]
        if not shown:
            continue
        noted = {"human": "asked by people", "synthetic": "made of test documents"}[origin]
        lines = [
            f"nDCG@10 on {len(shown[0]['values'])} test questions {noted}, with 95 % intervals:",
            "",
            *_tabulate(found, _find_cells(rows, found, facts), facts),
        ]
        sections.append("\n".join(lines))
    general = tell_general(rows, read_cell(facts))
    return [*sections, general] if general else sections


def tell_general(rows: Iterable[Row], chosen: Cell) -> str:
    """Tell what the chosen cell forgot of questions that have nothing to do with the documents.

    Returns:
        One line; nothing where there is no such set.
    """
    found = [row for row in rows if (row["origin"], row["metric"]) == (GENERAL, "ndcg@10")]
    kept = next((r for r in found if r["system"] == "tuned" and read_cell(r) == chosen), None)
    base = [r for r in keep_one_way(found) if r["system"] == "base"]
    if kept is None or not base:
        return ""
    whole = max(base, key=lambda row: row["layer"])
    change = paired_bootstrap(kept["values"], whole["values"])
    told = "which may be chance"
    if change.high < 0 or change.low > 0:
        told = "beyond chance: it forgot" if change.value < 0 else "beyond chance"
    return (
        f"On {len(kept['values'])} general questions, which have nothing to do with the documents, "
        f"nDCG@10 went from {_tell(whole)} to {_tell(kept)}: {change.value:+.3f} "
        f"({change.low:+.3f} to {change.high:+.3f}), {told}."
    )


def tell_choice(base: Checkpoint, model: "Model") -> str:
    """Tell what was chosen and why, what it and the others cost, and its size and speed."""
    cut, speed = model.cut.facts, model.registration.facts["speed"]
    return (
        f"## Kept: {cut['layer']} of {cut['layers_before']} layers, {cut['pooling']} pooling, "
        f"{cut['dimension']} numbers\n\n{cut['reason']}\n\n"
        f"{tabulate_prices(cut)}\n\n"
        f"Size {cut['bytes'] / 1e6:.0f} MB, "
        f"{100 * cut['bytes'] / base.facts['bytes']:.0f} % of the base's. "
        f"Encoding {speed['ratio']:.2f} times as fast as the base "
        f"({speed['cut']:.0f} against {speed['base']:.0f} passages a second here)."
    )


def tabulate_prices(facts: Mapping[str, Any]) -> str:
    """Tell what was chosen, came second, and was best, as a table: on dev, which decided."""
    lines = [
        f"| | layer | dev | against the best ({100 * facts['confidence']:.3g} %) "
        "| ms a passage | GFLOPs | MB | bytes a vector |",
        "| :--- | :--- | ---: | :--- | ---: | ---: | ---: | ---: |",
    ]
    offered = [Cell(*cell) for cell in facts["offered"]]
    told = {read_cell(facts[role]): facts[role] for role in ROLES if facts[role]}
    for cell, row in told.items():
        is_best = cell == read_cell(facts["best"])
        loss = f"{row['difference']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f})"
        time = row["milliseconds"]
        cells = [
            _tell_roles(cell, facts), _name(cell, offered), f"{row['value']:.3f}",
            "" if is_best else loss, "not measured" if time is None else shorten(time),
            shorten(row["gflops"]), shorten(row["megabytes"]), f"{row['bytes_per_vector']:,}",
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _tabulate(rows: list[Row], cells: list[Cell], facts: Mapping[str, Any]) -> list[str]:
    lines = [
        "| layer | base | tuned, plainly cut | tuned | recall@100 | MRR@10 | |",
        "| ---: | :--- | :--- | :--- | :--- | :--- | :--- |",
    ]
    tuned, plain, base = (
        {(row["metric"], read_cell(row)): row for row in rows if row["system"] == system}
        for system in ("tuned", PLAIN, "base")
    )
    own = {r["layer"]: r for r in keep_one_way(list(base.values())) if r["metric"] == "ndcg@10"}
    every = [cell for _, cell in [*tuned, *plain]]
    for cell in cells:
        told = [
            _name(cell, every),
            _tell(base.get(("ndcg@10", cell)) or own.get(cell.layer)),
            _tell(plain.get(("ndcg@10", cell))),
            _tell(tuned.get(("ndcg@10", cell))),
            *(_tell(tuned.get((metric, cell)), short=True) for metric in ("recall@100", "mrr@10")),
        ]
        if cell == read_cell(facts):
            told = [f"**{part}**" if part else "" for part in told]
        lines.append(f"| {' | '.join(told)} | {_tell_roles(cell, facts)} |")
    others = [row for row in rows if row["system"] not in ("tuned", PLAIN, "base")]
    lines += [
        f"| | {row['system']}: {_tell(row)} | | | | | |"
        for row in keep_one_way(others)
        if row["metric"] == "ndcg@10"
    ]
    return lines


def _find_cells(rows: list[Row], tests: list[Row], facts: Mapping[str, Any]) -> list[Cell]:
    """Return the cells to show: each layer's best on dev, and those that have a role."""
    tuned = {read_cell(row): row["value"] for row in tests
             if (row["system"], row["metric"]) == ("tuned", "ndcg@10")}  # fmt: skip
    dev = {read_cell(row): row["value"] for row in pick(rows, split="dev")
           if row["system"] == "tuned"}  # fmt: skip
    roles = {read_cell(facts[role]) for role in ROLES if facts.get(role)} | {read_cell(facts)}
    best: dict[int, Cell] = {}
    for cell in tuned:  # of equals the first, which is the model's own way
        known = best.get(cell.layer)
        if known is None or dev.get(cell, 0.0) > dev.get(known, 0.0):
            best[cell.layer] = cell
    taken = {cell.layer for cell in roles}
    shown = {cell for layer, cell in best.items() if layer not in taken} | (roles & tuned.keys())
    plain = [row for row in keep_one_way([row for row in tests if row["system"] == PLAIN])
             if row["layer"] not in best]  # fmt: skip
    return sorted(shown | {read_cell(row) for row in plain})


def _tell_roles(cell: Cell, facts: Mapping[str, Any]) -> str:
    roles = [
        told for role, told in ROLES.items()
        if facts.get(role) and read_cell(facts[role]) == cell
    ]  # fmt: skip
    return ", ".join(roles) or (ROLES["chosen"] if cell == read_cell(facts) else "")


def _tell(row: Row | None, *, short: bool = False) -> str:
    if row is None:
        return ""
    return f"{row['value']:.3f}" + ("" if short else f" ({row['low']:.3f} to {row['high']:.3f})")


def _name(cell: Cell, others: list[Cell]) -> str:
    return name_cell(cell, others).removeprefix("layer ")


def read_cell(row: Mapping[str, Any]) -> Cell:
    """Return the cell that a row of `Scores` is of, or that a cut checkpoint's facts tell."""
    return Cell(row["layer"], row["pooling"], row["dimension"])
