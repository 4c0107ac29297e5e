"""Scores by layer as a Markdown table, for the model card."""

from collections.abc import Iterator, Sequence

from .contracts import GENERAL, PLAIN
from .core.prices import Cell
from .report import Row, keep_one_way, pick


def tabulate_layers(rows: Sequence[Row], cell: Cell) -> Iterator[str]:
    """Yield a Markdown table of the test scores by layer for each kind of question there is.

    Args:
        rows: Rows of `Scores`, of several systems.
        cell: What the model was cut to: of several rows per layer, its own are shown.
    """
    title = "## How well it finds the answers\n\n"
    tests = [row for row in rows if row["split"] == "test" and row["origin"] != GENERAL]
    tests = keep_one_way(tests, cell.pooling, cell.dimension)
    for origin in sorted({row["origin"] for row in tests}):  # human first
        found = [row for row in tests if row["origin"] == origin]
        asked = {"human": "asked by people", "synthetic": "made of test documents"}
        lines = [
            f"{title}{len(found[0]['values'])} test questions "
            f"{asked.get(origin, f'({origin})')}, 95 % intervals:\n",
            "| layer | base, nDCG@10 | plainly cut | polished, nDCG@10 | recall@100 | MRR@10 | |",
            "| ---: | :--- | :--- | :--- | :--- | :--- | :--- |",
        ]
        for layer in sorted({row["layer"] for row in found if row["system"] in {"tuned", PLAIN}}):
            cells = [
                _tell(found, "base", layer, "ndcg@10"),
                _tell(found, PLAIN, layer, "ndcg@10"),
                *(
                    _tell(found, "tuned", layer, metric)
                    for metric in ("ndcg@10", "recall@100", "mrr@10")
                ),
                "**this model**" if layer == cell.layer else "",
            ]
            lines.append(f"| {layer} | {' | '.join(cells)} |")
        others = {row["system"]: row for row in pick(found)} if found else {}
        lines += [
            f"| | {system}: {_value(row)} | | | | | |"
            for system, row in others.items()
            if system not in {"tuned", "base", PLAIN}
        ]
        yield "\n".join(lines)
        title = ""
    if tests:
        yield "![nDCG@10 by layer](layers.png)"


def _tell(rows: Sequence[Row], system: str, layer: int, metric: str) -> str:
    wanted = (system, layer, metric)
    found = (row for row in rows if (row["system"], row["layer"], row["metric"]) == wanted)
    return next(map(_value, found), "")


def _value(row: Row) -> str:
    return f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})"
