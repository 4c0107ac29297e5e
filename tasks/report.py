"""Scores as people look at them: a picture and a table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .contracts import GENERAL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = dict[str, Any]


def pick(rows: Sequence[Row], metric: str = "ndcg@10", split: str = "test") -> list[Row]:
    """Return the rows of one metric and split, of human questions if there are any.

    Args:
        rows: Rows of `Scores`.
        metric: Which metric.
        split: `dev` or `test`.
    """
    found = [row for row in rows if row["metric"] == metric and row["split"] == split]
    found = [row for row in found if row["origin"] != GENERAL]
    human = [row for row in found if row["origin"] == "human"]
    return human or found


def draw_layers(rows: Sequence[Row], chosen: int, metric: str = "ndcg@10") -> "Figure":
    """Draw the metric by layer, base against tuned with their intervals, and BM25 as a line."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    shown = pick(rows, metric)
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for system, colour in (("base", "#888888"), ("tuned", "#1f6feb"), ("champion", "#2a9d4a")):
        line = sorted((r for r in shown if r["system"] == system), key=lambda row: row["layer"])
        if line:
            layers = [row["layer"] for row in line]
            axes.plot(layers, [row["value"] for row in line], "o-", color=colour, label=system)
            axes.fill_between(
                layers,
                [r["low"] for r in line],
                [r["high"] for r in line],
                color=colour,
                alpha=0.15,
            )
    for row in shown:
        if row["system"] == "BM25":
            axes.axhline(row["value"], color="#c0762b", linestyle="--", label="BM25")
    axes.axvline(chosen, color="#1f6feb", linestyle=":", label=f"chosen: layer {chosen}")
    origin = shown[0]["origin"] if shown else ""
    queries = len(shown[0]["values"]) if shown else 0
    axes.set(
        xlabel="layer", ylabel=metric, ylim=(0, None),
        title=f"{metric} on {queries} {origin} test questions, 95 % intervals",
    )  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    return figure


def tabulate(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Turn score rows into columns without the per-query values, the table people read."""
    names = [name for name in (rows[0] if rows else {}) if name != "values"]
    table: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in names}
    return table | {"queries": [len(row["values"]) for row in rows]}
