"""The quality-cost front: what every cut that was on offer costs, and how well it finds answers."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .core.explanation import name_cell
from .core.prices import Cell, find_front
from .report import COLOURS, Row, draw_others, keep_one_way, pick, tell_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Told apart by shape as well as by colour; the largest lies lowest where two are one cell.
MARKS = {
    "best": ("s", 190, "#000000", "none"),
    "runner_up": ("D", 85, "#cc79a7", "#cc79a7"),
    "chosen": ("*", 260, "#d55e00", "#d55e00"),
}
TICKS = 16  # more layers than that get fewer marks


class Point(NamedTuple):
    """A cell in the picture."""

    cell: Cell
    cost: float
    row: Row


def draw_front(rows: Sequence[Row], facts: Mapping[str, Any], metric: str = "ndcg@10") -> "Figure":
    """Draw quality against cost: all cells on offer, the front, the chosen, runner-up, and best.

    Quality is that on the test questions, which had no say in the choice; where there are none, on
    dev. Cost is the measured time where every layer on offer has one, else operations.

    Args:
        rows: Rows of `Scores`.
        facts: Of the cut checkpoint.
        metric: What quality is.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    shown = pick(rows, metric) or pick(rows, metric, "dev")
    points, unit = find_points(shown, facts)
    with mpl.rc_context({"text.parse_math": False}):  # a dollar in a name is a dollar
        figure = Figure(figsize=(7.4, 5.4), layout="constrained")
        axes = figure.subplots()
        _draw_points(axes, points, {Cell(*cell) for cell in facts.get("over_budget", ())})
        _draw_marks(axes, points, facts)
        _draw_lines(axes, shown, points, facts, unit)
        axes.set(xlabel=f"{unit} a passage", ylabel=metric)
        axes.margins(x=0.06, y=0.08)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#eeeeee", zorder=0)
        axes.set_axisbelow(True)
        _name_layers(axes, points)
        decided = "; chosen on dev" if shown and shown[0]["split"] != "dev" else ""
        figure.suptitle(f"{tell_title(shown)}{decided}", fontsize=11)
        figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def find_points(rows: Sequence[Row], facts: Mapping[str, Any]) -> tuple[list[Point], str]:
    """Return the cells that were on offer, and the unit of their cost."""
    tuned = [row for row in rows if row["system"] == "tuned"]
    every = [[row["layer"], row["pooling"], row["dimension"]] for row in tuned]
    offered = {Cell(*cell) for cell in facts.get("offered", every)}
    milliseconds = {int(layer): cost for layer, cost in facts.get("milliseconds", {}).items()}
    is_measured = {cell.layer for cell in offered} <= milliseconds.keys()
    points = []
    for row in tuned:
        cell = Cell(row["layer"], row["pooling"], row["dimension"])
        if cell in offered:
            cost = milliseconds[cell.layer] if is_measured else row["cost"]
            points.append(Point(cell, cost, row))
    return points, "milliseconds" if is_measured else "GFLOPs"


def _draw_points(axes: "Axes", points: Sequence[Point], over_budget: set[Cell]) -> None:
    for is_over, label, marker in ((False, "cut on offer", "o"), (True, "over the budget", "x")):
        some = [point for point in points if (point.cell in over_budget) == is_over]
        if some:
            axes.plot(
                [point.cost for point in some], [point.row["value"] for point in some], marker,
                color="#888888", markerfacecolor="none", markersize=5, zorder=2, label=label,
            )  # fmt: skip
    front = [points[n] for n in find_front([(p.cost, p.row["value"]) for p in points])]
    if front:
        axes.plot(
            [point.cost for point in front], [point.row["value"] for point in front],
            "o-", color=COLOURS["tuned"], markersize=5, zorder=3,
            label="front: nothing beats these",
        )  # fmt: skip
        _draw_intervals(axes, front, COLOURS["tuned"])


def _draw_intervals(axes: "Axes", points: Sequence[Point], colour: str) -> None:
    for point in points:
        axes.plot(
            [point.cost, point.cost], [point.row["low"], point.row["high"]],
            color=colour, linewidth=1.4, alpha=0.6, zorder=2,
        )  # fmt: skip


def _draw_marks(axes: "Axes", points: Sequence[Point], facts: Mapping[str, Any]) -> None:
    cells = [point.cell for point in points]
    for number, (role, (marker, size, edge, face)) in enumerate(MARKS.items()):
        told = facts.get(role)
        for point in points:
            if told and point.cell == Cell(*(told[name] for name in Cell._fields)):
                name = f"{role.replace('_', '-')}: {name_cell(point.cell, cells)}"
                axes.scatter(
                    [point.cost], [point.row["value"]], marker=marker, s=size, edgecolors=edge,
                    facecolors=face, linewidths=1.4, zorder=4 + number,
                    label=f"{name}, {point.row['value']:.3f}",
                )  # fmt: skip
                _draw_intervals(axes, [point], edge)


def _draw_lines(
    axes: "Axes", rows: Sequence[Row], points: Sequence[Point], facts: Mapping[str, Any], unit: str
) -> None:
    """Draw what the cells are compared with: base, champion, BM25, …, tolerance, and budget."""
    for system in ("base", "champion"):
        own = keep_one_way([row for row in rows if row["system"] == system])
        if own:
            last = max(own, key=lambda row: row["layer"])
            axes.axhline(
                last["value"], color=COLOURS[system], linestyle="-.",
                label=f"{system}, all {last['layer']} layers, {last['value']:.3f}",
            )  # fmt: skip
    draw_others(axes, rows)
    best = facts.get("best")
    for point in points:
        if best and point.cell == Cell(*(best[name] for name in Cell._fields)):
            axes.axhline(
                (1 - facts["tolerance"]) * point.row["value"], color="#000000", linewidth=0.9,
                linestyle=":", label=f"{100 * facts['tolerance']:g} % below the best",
            )  # fmt: skip
    most = facts.get("budget", {}).get("milliseconds")
    if most and unit == "milliseconds":
        axes.axvline(most, color="#000000", linewidth=0.9, label=f"budget: {most:g} ms")


def _name_layers(axes: "Axes", points: Sequence[Point]) -> None:
    """Write above the picture which layer costs what."""
    costs = {point.cell.layer: point.cost for point in points}
    layers = sorted(costs)[:: -(-len(costs) // TICKS) or 1]
    above = axes.secondary_xaxis("top")
    above.set_xticks([costs[layer] for layer in layers], [str(layer) for layer in layers])
    above.set_xlabel("layers kept")
    above.spines["top"].set_visible(False)
