"""Scores as people look at them: a picture by layer and a table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .contracts import GENERAL, PLAIN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]

BY_LAYER = ("base", PLAIN, "tuned", "champion")  # systems that have layers; any other is one line
# Okabe and Ito's, which colour-blind people tell apart too.
COLOURS = {
    "base": "#777777",
    "tuned": "#0072b2",
    "champion": "#009e73",
    PLAIN: "#56b4e9",
    "BM25": "#e69f00",
}
OTHERS = ("#cc79a7", "#a6761d", "#000000")


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


def keep_one_way(rows: Sequence[Row], pooling: str = "", dimension: int = 0) -> list[Row]:
    """Keep of each system the rows of one pooling and length: the wanted ones, or the nearest.

    Args:
        rows: Rows of `Scores`, of several poolings and lengths perhaps.
        pooling: Wanted; a system that was not scored with it keeps the one that comes first.
        dimension: Wanted; otherwise the longest.
    """
    kept: dict[str, tuple[str, int]] = {}
    for system in {row["system"]: None for row in rows}:
        ways = [(row["pooling"], row["dimension"]) for row in rows if row["system"] == system]
        poolings = [way[0] for way in ways]
        own = pooling if pooling in poolings else poolings[0]
        kept[system] = max(
            (way for way in ways if way[0] == own), key=lambda way: (way[1] == dimension, way[1])
        )
    return [row for row in rows if kept[row["system"]] == (row["pooling"], row["dimension"])]


def draw_layers(
    rows: Sequence[Row],
    chosen: int,
    metric: str = "ndcg@10",
    *,
    pooling: str = "",
    dimension: int = 0,
) -> "Figure":
    """Draw the metric by layer, base against tuned with their intervals; BM25 and others as lines.

    Args:
        rows: Rows of `Scores`.
        chosen: The layer that was kept.
        metric: Which metric.
        pooling: Of several, the one to show: the kept one.
        dimension: Of several, the one to show.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    shown = keep_one_way(pick(rows, metric), pooling, dimension)
    with mpl.rc_context({"text.parse_math": False}):  # a dollar in a name is a dollar
        figure = Figure(figsize=(7, 4.6), layout="constrained")
        axes = figure.subplots()
        for system in BY_LAYER:
            line = sorted((r for r in shown if r["system"] == system), key=lambda row: row["layer"])
            if line:
                layers, colour = [row["layer"] for row in line], COLOURS[system]
                axes.plot(layers, [row["value"] for row in line], "o-", color=colour, label=system)
                axes.fill_between(
                    layers, [r["low"] for r in line], [r["high"] for r in line],
                    color=colour, alpha=0.15,
                )  # fmt: skip
        draw_others(axes, shown)
        axes.axvline(chosen, color=COLOURS["tuned"], linestyle=":", label=f"chosen: layer {chosen}")
        axes.set(xlabel="layer", ylabel=metric, ylim=(0, None), title=tell_title(shown))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure


def draw_others(axes: "Axes", rows: Sequence[Row]) -> None:
    """Draw a line for each system that has no layers: BM25, and models behind endpoints."""
    others = {row["system"]: row for row in rows if row["system"] not in BY_LAYER}
    colours = iter(OTHERS * len(others))
    for system, row in others.items():
        colour = COLOURS.get(system) or next(colours)
        axes.axhline(
            row["value"], color=colour, linestyle="--", label=f"{system}, {row['value']:.3f}"
        )


def tell_title(rows: Sequence[Row]) -> str:
    """Tell what the rows were measured on."""
    if not rows:
        return "no questions"
    row = rows[0]
    questions = f"{len(row['values'])} {row['origin']} {row['split']} questions"
    return f"{row['metric']} on {questions}, 95 % intervals"


def tabulate(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Turn score rows into columns without the per-query values, the table people read."""
    names = [name for name in (rows[0] if rows else {}) if name != "values"]
    table: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in names}
    return table | {"queries": [len(row["values"]) for row in rows]}
