"""The pictures draw what they are given: every cell, the front, the marks, and the lines."""

from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tasks.front import draw_front, find_points
from tasks.report import draw_layers, keep_one_way, pick

LEVELS = {1: 0.2, 2: 0.5, 3: 0.52, 4: 0.51}
Row = dict[str, Any]


def row(system: str, layer: int, value: float, **changes: Any) -> Row:  # noqa: ANN401
    way = {"pooling": "mean", "dimension": 8} if layer else {"pooling": "", "dimension": 0}
    return {
        "system": system, "layer": layer, **way, "split": "test", "origin": "human",
        "metric": "ndcg@10", "value": value, "low": value - 0.1, "high": value + 0.1,
        "cost": 2.0 * layer, "values": [value] * 30,
    } | changes  # fmt: skip


def facts_of(chosen: int, second: int, best: int, **changes: Any) -> Row:  # noqa: ANN401
    roles = {"chosen": chosen, "runner_up": second, "best": best}
    cells = {role: {"layer": layer, "pooling": "mean", "dimension": 8}
             for role, layer in roles.items()}  # fmt: skip
    offered = [[layer, pooling, 8] for layer in (2, 3, 4) for pooling in ("mean", "max")]
    return {**cells, "offered": offered, "tolerance": 0.1, **changes}


@pytest.fixture
def rows() -> list[Row]:
    tuned = [row("tuned", layer, value) for layer, value in LEVELS.items()]
    worse = [row("tuned", layer, value - 0.05, pooling="max") for layer, value in LEVELS.items()]
    base = [row("base", layer, layer / 10) for layer in LEVELS]
    others = [row("BM25", 0, 0.33), row("text-$-large", 0, 0.44)]
    misleading = [row("tuned", 3, 0.99, split="dev"), row("tuned", 3, 0.98, origin="general"),
                  row("tuned", 3, 0.97, metric="mrr@10")]  # fmt: skip
    return [*tuned, *worse, *base, *others, *misleading]


def lines_of(figure: Figure) -> dict[str, list[tuple[float, float]]]:
    """Read the labelled lines and marks off a picture."""
    axes: Axes = figure.axes[0]
    lines = {str(line.get_label()): list(map(tuple, np.asarray(line.get_xydata()).tolist()))
             for line in axes.get_lines()}  # fmt: skip
    marks = {str(mark.get_label()): list(map(tuple, np.asarray(mark.get_offsets()).tolist()))
             for mark in axes.collections}  # fmt: skip
    return {name: found for name, found in (lines | marks).items() if not name.startswith("_")}


def near(*points: tuple[float, float]) -> list[Any]:
    return [pytest.approx(point) for point in points]


def test_the_front_is_drawn_as_it_was_measured(rows: list[Row]) -> None:
    figure = draw_front(rows, facts_of(2, 4, 3))
    drawn = lines_of(figure)
    assert drawn["cut on offer"] == near(
        (4, 0.5), (6, 0.52), (8, 0.51), (4, 0.45), (6, 0.47), (8, 0.46)
    )  # no layer 1, which was not
    assert drawn["front: nothing beats these"] == near((4, 0.5), (6, 0.52))
    assert drawn["chosen: layer 2 (mean pooling), 0.500"] == near((4, 0.5))
    assert drawn["runner-up: layer 4 (mean pooling), 0.510"] == near((8, 0.51))
    assert drawn["best: layer 3 (mean pooling), 0.520"] == near((6, 0.52))
    heights = {"base, all 4 layers, 0.400": 0.4, "BM25, 0.330": 0.33, "text-$-large, 0.440": 0.44,
               "10 % below the best": 0.468}  # fmt: skip
    for name, height in heights.items():
        assert sorted({y for _, y in drawn[name]}) == [pytest.approx(height)]
    unlabelled = [line.get_xydata() for line in figure.axes[0].get_lines()
                  if str(line.get_label()).startswith("_")]  # fmt: skip
    intervals = [np.asarray(line).tolist() for line in unlabelled]
    for cost, value in ((4, 0.5), (6, 0.52), (8, 0.51)):
        assert [pytest.approx([cost, value - 0.1]), pytest.approx([cost, value + 0.1])] in intervals
    assert figure.axes[0].get_xlabel() == "GFLOPs a passage"
    assert "30 human test questions" in figure.get_suptitle()
    assert len(figure.legends[0].get_texts()) == len(drawn)


def test_measured_time_is_the_cost_where_every_layer_has_one(rows: list[Row]) -> None:
    measured = {"2": 0.7, "3": 1.1, "4": 1.4}
    told = facts_of(
        2, 4, 3, milliseconds=measured, budget={"milliseconds": 0.9},
        over_budget=[[3, "mean", 8], [4, "mean", 8], [3, "max", 8], [4, "max", 8]],
    )  # fmt: skip
    drawn = lines_of(draw_front(rows, told))
    assert drawn["chosen: layer 2 (mean pooling), 0.500"] == near((0.7, 0.5))
    assert drawn["cut on offer"] == near((0.7, 0.5), (0.7, 0.45))
    assert [x for x, _ in drawn["over the budget"]] == [1.1, 1.4, 1.1, 1.4]
    assert [x for x, _ in drawn["budget: 0.9 ms"]] == [0.9, 0.9]
    points, unit = find_points(pick(rows), told | {"milliseconds": {"2": 0.7}})
    assert (unit, points[0].cost) == ("GFLOPs", 4.0)


def test_layers_are_named_above_what_they_cost(rows: list[Row]) -> None:
    figure = draw_front(rows, facts_of(2, 4, 3))
    (above,) = figure.axes[0].child_axes
    assert [tick.get_text() for tick in above.get_xticklabels()] == ["2", "3", "4"]
    assert above.get_xticks().tolist() == [4, 6, 8]


def test_dev_is_drawn_where_there_is_no_test(rows: list[Row]) -> None:
    dev = [found | {"split": "dev"} for found in rows if found["split"] == "test"]
    assert "dev questions" in draw_front(dev, facts_of(2, 4, 3)).get_suptitle()


def test_a_model_that_nothing_is_known_of_is_drawn_too(rows: list[Row]) -> None:
    drawn = lines_of(draw_front(rows, {"layer": 3}))
    assert len(drawn["cut on offer"]) == 8
    assert not any(name.startswith("chosen") for name in drawn)
    draw_front([], {"layer": 3})


@pytest.mark.parametrize(("pooling", "expected"), [("", 0.5), ("mean", 0.5), ("max", 0.45)])
def test_layers_are_drawn_in_one_way(rows: list[Row], pooling: str, expected: float) -> None:
    drawn = lines_of(draw_layers(rows, 2, pooling=pooling))
    assert [x for x, _ in drawn["tuned"]] == [1, 2, 3, 4]
    assert drawn["tuned"][1] == pytest.approx((2, expected))
    assert drawn["base"][3] == pytest.approx((4, 0.4))  # it has one way alone
    assert {y for _, y in drawn["text-$-large, 0.440"]} == {0.44}
    assert [x for x, _ in drawn["chosen: layer 2"]] == [2, 2]


def test_one_way_is_the_wanted_one_or_the_first_and_longest() -> None:
    several = [row("tuned", 1, 0.5, pooling=pooling, dimension=size)
               for pooling in ("cls", "mean") for size in (4, 8)]  # fmt: skip
    ways = [
        [(found["pooling"], found["dimension"]) for found in keep_one_way(several, *wanted)]
        for wanted in ((), ("mean", 4), ("mean", 99), ("max", 4))
    ]
    assert ways == [[("cls", 8)], [("mean", 4)], [("mean", 8)], [("cls", 4)]]


def test_general_questions_are_no_others() -> None:
    general = [row("tuned", 1, 0.5, origin="general")]
    synthetic = [row("tuned", 1, 0.4, origin="synthetic")]
    assert pick([*general, *synthetic]) == synthetic
    assert pick(general) == []
