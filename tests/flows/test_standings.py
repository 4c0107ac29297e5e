"""The tables of the summary: one row a layer, the chosen one bold, the others as lines."""

from typing import Any

import numpy as np
import pytest

from flows.standings import tabulate_prices, tell_general, tell_scores
from flows.summary import picture
from tasks.core.prices import Cell

Row = dict[str, Any]
CHOSEN = Cell(2, "max", 4)


def row(system: str, cell: Cell, value: float, **changes: Any) -> Row:  # noqa: ANN401
    noise = np.random.default_rng(0).normal(0, 0.01, 50)
    return {
        "system": system, **cell._asdict(), "split": "test", "origin": "human",
        "metric": "ndcg@10", "value": value, "low": value - 0.01, "high": value + 0.01,
        "cost": float(cell.layer), "values": (value + noise - noise.mean()).tolist(),
    } | changes  # fmt: skip


def describe(cell: Cell, **changes: Any) -> Row:  # noqa: ANN401
    return {
        **cell._asdict(), "value": 0.7, "difference": -0.02, "low": -0.03, "high": -0.01,
        "gflops": 0.345, "megabytes": 61.44, "bytes_per_vector": 4 * cell.dimension,
        "milliseconds": None,
    } | changes  # fmt: skip


@pytest.fixture
def facts() -> Row:
    every = [[layer, pooling, size] for layer in (1, 2, 3) for pooling in ("mean", "max")
             for size in (4, 8)]  # fmt: skip
    return {
        **CHOSEN._asdict(), "chosen": describe(CHOSEN, milliseconds=1.234),
        "runner_up": describe(Cell(2, "mean", 8)), "best": describe(Cell(3, "mean", 8)),
        "offered": every, "confidence": 0.9875, "tolerance": 0.05, "reason": "Because.",
    }  # fmt: skip


@pytest.fixture
def rows() -> list[Row]:
    found = []
    for layer in (1, 2, 3):
        for pooling, size in (("mean", 4), ("mean", 8), ("max", 4), ("max", 8)):
            cell, value = Cell(layer, pooling, size), 0.2 * layer + size / 100
            found += [row("tuned", cell, value), row("tuned", cell, 0.111, metric="mrr@10")]
            # on dev max pooling of 4 numbers is best, at every layer; on test it is not
            dev = value + (0.5 if (pooling, size) == ("max", 4) else 0)
            found.append(row("tuned", cell, dev, split="dev"))
        found.append(row("base", Cell(layer, "mean", 8), 0.1 * layer))
    others = {"BM25": 0.31, "champion": 0.32, "text-embedding-3-large": 0.33}
    return found + [row(name, Cell(0, "", 0), value) for name, value in others.items()]


def test_a_layer_has_one_row_and_whoever_has_a_role_another(rows: list[Row], facts: Row) -> None:
    (text,) = tell_scores(rows, facts)
    lines = text.splitlines()
    assert lines[0].startswith("nDCG@10 on 50 test questions asked by people")
    table = [[part.strip() for part in line.split("|")[1:-1]] for line in lines[4:]]
    assert [cells[0] for cells in table] == [
        "1 (max pooling, 4 numbers)",  # what dev says is best, not test
        "**2 (max pooling, 4 numbers)**",
        "2 (mean pooling, 8 numbers)",
        "3 (mean pooling, 8 numbers)",
        "", "", "",
    ]  # fmt: skip
    assert table[1][1:] == [
        "**0.200 (0.190 to 0.210)**",  # the base has mean pooling alone: that
        "",
        "**0.440 (0.430 to 0.450)**", "", "**0.111**", "**chosen**",
    ]  # fmt: skip
    assert [cells[-1] for cells in table[:4]] == ["", "**chosen**", "runner-up", "best on dev"]
    assert [cells[1] for cells in table[4:]] == [
        "BM25: 0.310 (0.300 to 0.320)",
        "champion: 0.320 (0.310 to 0.330)",
        "text-embedding-3-large: 0.330 (0.320 to 0.340)",
    ]


def test_one_way_alone_is_not_named(rows: list[Row], facts: Row) -> None:
    only = [found for found in rows if (found["pooling"], found["dimension"]) == ("mean", 8)]
    roles = {role: describe(Cell(2, "mean", 8)) for role in ("chosen", "best")}
    told = facts | Cell(2, "mean", 8)._asdict() | roles | {"runner_up": None}
    (text,) = tell_scores(only, told)
    table = [line.split("|")[1].strip() for line in text.splitlines()[4:]]
    assert table == ["1", "**2**", "3"]
    assert "**chosen**, best on dev" in text


def test_synthetic_questions_have_a_table_of_their_own(rows: list[Row], facts: Row) -> None:
    both = [*rows, *(found | {"origin": "synthetic"} for found in rows)]
    assert len(tell_scores(both, facts)) == 2


@pytest.mark.parametrize(
    ("after", "told"),
    [(0.5, "beyond chance: it forgot"), (0.6, "which may be chance"), (0.7, "beyond chance.")],
)
def test_general_questions_are_one_line(
    rows: list[Row], facts: Row, after: float, told: str
) -> None:
    general = [
        row("base", Cell(1, "mean", 8), 0.1, origin="general"),
        row("base", Cell(3, "mean", 8), 0.6, origin="general"),
        row("tuned", Cell(3, "mean", 8), 0.9, origin="general"),
        row("tuned", CHOSEN, after, origin="general"),
    ]
    text = tell_scores([*rows, *general], facts)[-1]
    assert "\n" not in text
    assert "On 50 general questions" in text
    assert f"from 0.600 (0.590 to 0.610) to {after:.3f}" in text
    assert told in text
    assert tell_general(rows, CHOSEN) == ""


def test_prices_of_all_three_are_told(facts: Row) -> None:
    lines = tabulate_prices(facts).splitlines()
    assert "(98.8 %)" in lines[0]
    table = [[part.strip() for part in line.split("|")[1:-1]] for line in lines[2:]]
    loss = "-0.020 (-0.030 to -0.010)"
    assert table == [
        ["**chosen**", "2 (max pooling, 4 numbers)", "0.700", loss, "1.23", "0.345", "61.4", "16"],
        ["runner-up", "2 (mean pooling, 8 numbers)", "0.700", loss,
         "not measured", "0.345", "61.4", "32"],
        ["best on dev", "3 (mean pooling, 8 numbers)", "0.700", "",
         "not measured", "0.345", "61.4", "32"],
    ]  # fmt: skip


def test_both_pictures_are_in_the_artifact_and_always_the_same(rows: list[Row], facts: Row) -> None:
    first, again = picture(rows, facts), picture(rows, facts)
    assert first == again
    assert [image.partition("]")[0] for image in first] == [
        "![quality and cost", "![scores by layer"
    ]  # fmt: skip
