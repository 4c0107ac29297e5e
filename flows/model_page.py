"""The model's page, where people look: text, tables, and pictures with Prefect's flow run."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flows.artifacts import show_link, show_markdown, show_table
from flows.links import Links, tell_links
from flows.standings import read_cell
from tasks.contracts import GENERAL
from tasks.core.statistics import paired_bootstrap
from tasks.report import Row, keep_one_way

if TYPE_CHECKING:
    from flows.dataset import Dataset
    from flows.model import Model

KEY = "retrain-summary"  # of the artifact: the pages of all runs are one history


def show_model(text: str, pictures: Sequence[str], model: "Model", links: Links) -> None:
    """Show the page of a finished run, and what of it people search as tables.

    Args:
        text: The summary.
        pictures: In Markdown, with their data.
        model: What came of the run.
        links: To MLflow.
    """
    facts = model.registration.facts
    checks, aside = list_checks(facts), list_set_aside(model.dataset)
    scores = list_scores(read_rows(model), model.cut.facts)
    page = [
        text,
        "## What the gate looked at",
        tabulate(checks),
        "## What was set aside",
        tabulate(aside) or "Nothing.",
        "## Where it is",
        tell_links(links, facts),
        *pictures,
    ]
    show_markdown(KEY, "\n\n".join(page), "What came of this run")
    show_table("scores", scores, "nDCG@10 on the test questions, 95 % intervals, and differences")
    show_table("gate", checks, f"Why version {facts['version']} {_tell_decision(facts)}")
    show_table("set-aside", aside, "What was read, asked, or mined and then left out, and why")
    show_link("mlflow-run", links.run, "The run in MLflow", "Scores, pictures, lineage")
    name = f"Version {facts['version']} of {facts['name']}"
    show_link("model-version", links.version, name, "The model and its card, in MLflow")


def read_rows(model: "Model") -> list[Row]:
    """Read the rows of `Scores`, the champion's included."""
    rows: list[Row] = model.scores.read().to_pylist()
    return rows + (model.opponent.read().to_pylist() if model.opponent is not None else [])


def list_checks(facts: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return what the gate looked at, one row each, and what it decided last.

    Args:
        facts: Of the registration.
    """
    rows = [
        {"check": one["name"], "passed": "yes" if one["is_passed"] else "NO", "found": one["found"]}
        for one in facts.get("checks", ())
    ]
    cosine = facts["cosine_from_registry"]  # it would not be registered if it were another model
    told = f"cosine {cosine:.6f} with the model that was logged"
    rows.append({"check": "the same in a new process", "passed": "yes", "found": told})
    is_champion = "yes" if facts["champion_moved"] else "NO"
    return [*rows, {"check": "champion", "passed": is_champion, "found": _tell_decision(facts)}]


def _tell_decision(facts: Mapping[str, Any]) -> str:
    return "became the champion" if facts["champion_moved"] else "did not become the champion"


def list_set_aside(dataset: "Dataset") -> list[dict[str, Any]]:
    """Return what was left out, by stage and reason, the most frequent first."""
    corpus, pairs, triplets = dataset.corpus.facts, dataset.pairs.facts, dataset.triplets.facts
    left_out = ("own_document", "held_out", "near_duplicate", "above_ceiling")
    counted = {
        "passages": corpus.get("reasons", {}),
        "queries": pairs.get("set_aside", {}),
        "candidates for negatives": {n.replace("_", " "): triplets.get(n, 0) for n in left_out},
    }
    return [
        {"of the": what, "set aside": count, "because": reason}
        for what, counts in counted.items()
        for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        if count
    ]


def list_scores(rows: Sequence[Row], facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the test scores of every system and layer, with differences to base and champion.

    Of several poolings and lengths those of the chosen cell are shown, or the nearest. Differences
    are paired by query, with their 95 % interval.

    Args:
        rows: Rows of `Scores`, the champion's included.
        facts: Of the cut checkpoint.
    """
    cell = read_cell(facts)
    tests = [row for row in rows if (row["split"], row["metric"]) == ("test", "ndcg@10")]
    origins = sorted({row["origin"] for row in tests if row["origin"] != GENERAL})
    return [
        told
        for origin in origins
        for told in _compare(
            keep_one_way([row for row in tests if row["origin"] == origin], *cell[1:]), cell[0]
        )
    ]


def _compare(rows: Sequence[Row], chosen: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of one origin as people read them."""
    rivals = {}
    for name in ("base", "champion"):
        own = [row for row in rows if row["system"] == name]
        if own:
            rivals[name] = max(own, key=lambda row: row["layer"])
    for row in rows:
        is_chosen = row["system"] == "tuned" and row["layer"] == chosen
        yield {
            "questions": f"{len(row['values'])} {row['origin']}",
            "system": row["system"],
            "layer": row["layer"] or "",
            "chosen": "yes" if is_chosen else "",
            "nDCG@10": round(row["value"], 4),
            "interval": f"{row['low']:.3f} to {row['high']:.3f}",
        } | {f"against the {name}": _tell_difference(row, rival) for name, rival in rivals.items()}


def _tell_difference(row: Row, rival: Row) -> str:
    if row is rival or len(row["values"]) != len(rival["values"]):
        return ""
    found = paired_bootstrap(row["values"], rival["values"], resamples=2000)
    return f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def tabulate(rows: Sequence[Mapping[str, Any]]) -> str:
    r"""Write rows as a Markdown table; nothing if there are none.

    >>> print(tabulate([{"a": 1, "b": "x|y"}]))
    | a | b |
    | --- | --- |
    | 1 | x\|y |
    """
    if not rows:
        return ""
    lines = [f"| {' | '.join(rows[0])} |", f"| {' | '.join('---' for _ in rows[0])} |"]
    for row in rows:
        cells = (" ".join(str(value).split()).replace("|", "\\|") for value in row.values())
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
