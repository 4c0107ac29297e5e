"""The closing summary: one text, for the terminal, for Prefect, and for the registry."""

import base64
import io
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flows.dataset import Dataset
from flows.links import Links
from flows.model_page import read_rows, show_model
from flows.standings import tell_choice, tell_scores
from tasks.contracts import Checkpoint
from tasks.front import draw_front
from tasks.report import Row, draw_layers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from flows.model import Model

logger = logging.getLogger(__name__)

SVG_BYTES = 150_000
NEXT = (
    "Next: documents of your own, `burnish retrain --sources FOLDER`; and to have it done whenever "
    "they change, `burnish up --sources FOLDER`."
)


def summarize(base: Checkpoint, dataset: Dataset, model: "Model", links: Links) -> str:
    """Show what happened, what it gained, and what to do next; return the text (Markdown)."""
    from rich.console import Console
    from rich.markdown import Markdown

    rows = read_rows(model)
    text = "\n\n".join(
        [
            "# What happened",
            tell_documents(dataset),
            tell_training(model.checkpoint.facts, [one.facts for one in model.healed]),
            "## How well it finds the answers",
            *tell_scores(rows, model.cut.facts),
            tell_choice(base, model),
            tell_registration(model, links),
        ]
    )
    Console(width=100).print(Markdown(text))
    show_model(text, picture(rows, model.cut.facts), model, links)
    return text


def picture(rows: list[Row], facts: Mapping[str, Any]) -> list[str]:
    """Draw the front and the layers, as Markdown that holds them.

    Args:
        rows: Rows of `Scores`, the champion's included.
        facts: Of the cut checkpoint.
    """
    way = {"pooling": facts["pooling"], "dimension": facts["dimension"]}
    figures = {
        "quality and cost": draw_front(rows, facts),
        "scores by layer": draw_layers(rows, facts["layer"], **way),
    }
    return [f"![{name}]({_encode(figure)})" for name, figure in figures.items()]


def _encode(figure: "Figure") -> str:
    """Return a picture as an address that holds it; the same for the same picture.

    One of so many lines that they are a large file is held as pixels.
    """
    import matplotlib as mpl

    target, kind = io.BytesIO(), "svg+xml"
    with mpl.rc_context({"svg.hashsalt": "burnish"}):
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    if target.tell() > SVG_BYTES:
        target, kind = io.BytesIO(), "png"
        figure.savefig(target, format="png", metadata={"Software": None})
    return f"data:image/{kind};base64,{base64.b64encode(target.getvalue()).decode()}"


def tell_documents(dataset: Dataset) -> str:
    """Tell what was read, set aside, generated, filtered, and mined."""
    corpus, pairs, triplets = dataset.corpus.facts, dataset.pairs.facts, dataset.triplets.facts
    mined = ", ".join(
        f"{triplets[name]:,} ({told})"
        for name, told in (
            ("own_document", "passages of the answer's own document"),
            ("held_out", "kept for evaluation"),
            ("near_duplicate", "nearly the answer's text"),
            ("above_ceiling", "too close to the answer's score: perhaps answers too"),
        )
        if triplets[name]
    )
    lines = [
        tell_corpus(corpus),
        f"- **Queries**: {_tell_queries(pairs['queries'])}. The generated ones are "
        f"{_list(pairs['kinds'])}; {pairs['hidden']:,} have what they were made from hidden in "
        f"training. Set aside: {_list(pairs['set_aside'])}.",
        f"- **Hard negatives**: {triplets['kept']:,} kept for {triplets['queries']:,} training "
        f"queries, of {triplets['candidates']:,} candidates. Left out: {mined or 'none'}. "
        f"{_tell_planted(triplets)}",
    ]
    return "\n".join(lines)


def tell_corpus(facts: Mapping[str, Any]) -> str:
    """Tell what was read and set aside."""
    return (
        f"- **Read** {facts['documents']:,} documents: {facts['passages']:,} passages, "
        f"{facts['words']:,} words. Set aside: {_list(facts['reasons'])}."
    )


def tell_training(facts: dict[str, Any], healed: Sequence[dict[str, Any]]) -> str:
    """Tell how the training went, and how the smaller models were made."""
    lines = [
        f"- **Trained** on {facts['queries']:,} queries in {facts['steps']:,} steps: "
        f"loss {facts['first_loss']:.3f} to {facts['last_loss']:.3f}."
    ]
    for one in healed:
        taught = one.get("healed", one)
        told = (
            f"- **Healed** {one['layers']} layers, {', '.join(map(str, one['kept']))} of "
            f"{facts['layers']}: taught {taught['texts']:,} texts in {taught['steps']:,} steps, "
            f"loss {taught['first_loss']:.3f} to {taught['last_loss']:.3f}."
        )
        if "healed" in one:
            told += (
                f" Trained on the queries in {one['steps']:,} steps: "
                f"{one['first_loss']:.3f} to {one['last_loss']:.3f}."
            )
        lines.append(told)
    return "\n".join(lines)


def tell_registration(model: "Model", links: Links) -> str:
    """Tell the version, whether the alias moved and why, how to pull the model, and what is next.

    Where no server shows the run, nobody has asked for another one yet: so that is next.
    """
    facts = model.registration.facts
    is_champion = model.champion == facts["version"]
    moved = "is the **champion**" if is_champion else "is **not** the champion"
    if facts["champion_moved"] and not is_champion:
        moved = f"became the champion then, but version {model.champion or 'none'} is it now"
    where = f'mlflow.set_registry_uri("{facts["uri"]}")\n' if facts["uri"] else ""
    name = f"{facts['name']}@champion" if is_champion else f"{facts['name']}/{facts['version']}"
    return (
        f"## Registered: version {facts['version']} of {facts['name']}\n\n"
        f"It {moved}. {tell_reason(facts['reason'])}\n\nPull it:\n\n"
        f"```python\nimport mlflow\n{where}"
        f'model = mlflow.sentence_transformers.load_model("models:/{name}")\n'
        "```\n\n"
        'Search with it: `burnish search "how do I read a file line by line"`. '
        "Every score is in the run's table and picture, which "
        + (f"`{links.command}` shows." if links.command else f"are [here]({links.run}).")
        + ("" if links.flow_run else f"\n\n{NEXT}")
    )


def tell_reason(reason: str) -> str:
    """Return the gate's reason without the decision that it begins with.

    >>> tell_reason("Not the champion: 90.0 MB is above the 50 MB allowed.")
    '90.0 MB is above the 50 MB allowed.'
    """
    return reason.removeprefix("Not the champion: ").removeprefix("Champion: ")


def _tell_queries(queries: dict[str, dict[str, int]]) -> str:
    told = []
    for origin, splits in sorted(queries.items()):
        name = "people's" if origin == "human" else f"by {origin}"
        parts = [
            f"{splits[split]:,} {split}" for split in ("train", "dev", "test") if split in splits
        ]
        told.append(f"{name}: {', '.join(parts)}")
    return "; ".join(told)


def _tell_planted(facts: dict[str, Any]) -> str:
    planted = facts["planted"]
    if not planted["planted"]:
        return ""
    return (
        f"Of {planted['planted']:.0f} answers planted to test this, "
        f"{100 * planted['as_negatives']:.0f} % would have been taken for negatives "
        f"({100 * planted['as_naive_negatives']:.0f} % of them by the best candidates alone); at "
        f"most {100 * facts['false_negative_rate']:.1f} % of the negatives kept are answers."
    )


def _list(counts: dict[str, int]) -> str:
    """List counts, the largest first.

    >>> _list({"too short": 2, "same text": 1200})
    '1,200 same text, 2 too short'
    """
    told = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {name}" for name, count in told) or "nothing"
