"""The model card: what a model is for, how it is used, how good it is, and what it is made of."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .cells import find_cell
from .contracts import Checkpoint, Corpus, Manifest, Pairs, Triplets
from .model_layout import read_layout
from .report import Row
from .score_table import tabulate_layers
from .usage import tell_use

if TYPE_CHECKING:
    from .core.prices import Cell
    from .gate import Verdict
    from .model_layout import Layout
    from .speed import Speed

DESCRIPTION_CHARACTERS = 5000  # what MLflow's database keeps of a version's description


_POOLED = {
    "mean": "the mean of its tokens",
    "cls": "its first token",
    "max": "the maximum over its tokens",
    "lasttoken": "its last token",
}


class Card(NamedTuple):
    """A model card in Markdown, as the model's README.md and as the version's description."""

    front: str
    """What the Hugging Face Hub reads of it (YAML)."""
    sections: tuple[str, ...]

    @property
    def text(self) -> str:
        """The whole card."""
        return "\n\n".join([self.front, *self.sections]) + "\n"

    def summarize(self, first: str) -> str:
        """Return as many sections as a version's description may hold, behind `first`."""
        kept = first
        rest = "\n\nThe whole card is `README.md` among the model's files."
        for section in self.sections:
            if section.startswith("!["):  # a picture is beside README.md alone
                continue
            if len(kept) + len(section) + len(rest) + 2 > DESCRIPTION_CHARACTERS:
                break
            kept += f"\n\n{section}"
        return kept + rest


def write_card(
    name: str,
    cut: Checkpoint,
    whole: Checkpoint,
    base: Checkpoint,
    corpus: Corpus,
    rows: list[Row],
    verdict: "Verdict",
    speed: "Speed",
    lineage: Mapping[str, Any],
) -> Card:
    """Write the card of a model.

    Args:
        name: Of the registered model.
        cut: The model.
        whole: The model before the cut.
        base: The model it was made from.
        corpus: Its passages.
        rows: Of the scores, the opponents' included.
        verdict: The gate's.
        speed: Beside the base.
        lineage: Fingerprints and settings of all that went in.
    """
    settings = lineage.get("settings", {})
    layout, cell = read_layout(cut.path), find_cell(cut, cut.facts["layer"])
    base_name = str(settings.get("base") or base.facts.get("base", "a base model"))
    sections = (
        _tell_purpose(name, cut, corpus, layout, cell, base_name),
        tell_use(name, layout),
        *tabulate_layers(rows, cell),
        _tell_choice(cut, base, verdict, speed),
        _tell_training(whole, corpus, _find_facts(corpus, lineage), settings),
        _tell_origin(cut, lineage),
    )
    front = (
        "---\nlibrary_name: sentence-transformers\npipeline_tag: sentence-similarity\n"
        "tags: [sentence-transformers, feature-extraction, retrieval, burnish]\n"
        f"base_model: {json.dumps(base_name)}\n---"
    )
    return Card(front, sections)


def _tell_purpose(
    name: str, cut: Checkpoint, corpus: Corpus, layout: "Layout", cell: "Cell", base_name: str
) -> str:
    documents, passages = corpus.facts.get("documents"), corpus.facts.get("passages")
    told = f"{documents:,} documents ({passages:,} passages)" if documents else "a team's documents"
    kept, before = cell.layer, cut.facts.get("layers_before", cell.layer)
    layers = f"cut to {kept} of its {before} layers" if kept < before else (
        f"with all its {kept} layers")  # fmt: skip
    return (
        f"# {name}\n\n"
        f"An embedding model that finds the passages which answer a question in {told}: {base_name}"
        f", polished on them, {layers}. A text becomes one vector of "
        f"{cell.dimension} numbers ({_POOLED[cell.pooling]}); compare two by their "
        f"{'cosine' if layout.normalize else 'inner product'}.\n\n"
        "Meant for search and retrieval (RAG) over these documents and others like them. Other "
        "subjects and languages, and other tasks than retrieval, were not measured. "
        f"Text beyond {layout.max_tokens} tokens is not read."
    )


def _tell_choice(cut: Checkpoint, base: Checkpoint, verdict: "Verdict", speed: "Speed") -> str:
    size = cut.facts["bytes"] / 1e6
    share = 100 * cut.facts["bytes"] / base.facts["bytes"] if base.facts.get("bytes") else 100
    return (
        "## Why this one\n\n"
        f"{cut.facts.get('reason', '')}\n\n"
        f"{size:.1f} MB, {share:.0f} % of the base's. It encodes {speed.ratio:.2f} times as fast "
        f"as the base did beside it ({speed.cut:.0f} against {speed.base:.0f} passages a second)."
        "\n\n"
        f"The gate, when this version was made: {verdict.reason}"
    )


def _tell_training(
    whole: Checkpoint, corpus: Corpus, facts: Mapping[str, Any], settings: Mapping[str, Any]
) -> str:
    sources = ", ".join(f"`{source}`" for source in settings.get("sources", ()))
    lines = ["## What it was trained on\n"]
    if sources:
        lines.append(f"- Sources: {sources}.")
    counts = [f"{corpus.facts[n]:,} {n}" for n in ("documents", "passages", "words")
              if n in corpus.facts]  # fmt: skip
    if counts:
        lines.append(f"- Documents: {', '.join(counts)}.")
    for origin, splits in sorted(facts["pairs"].get("queries", {}).items()):
        told = ", ".join(f"{count:,} {split}" for split, count in splits.items())
        lines.append(f"- Queries, {origin}: {told}.")
    if "kept" in facts["triplets"]:
        mined = facts["triplets"]
        lines.append(
            f"- Hard negatives: {mined['kept']:,} for {mined['queries']:,} training queries."
        )
    if "steps" in whole.facts:
        lines.append(
            f"- Training: {whole.facts['queries']:,} queries, {whole.facts['steps']:,} steps, loss "
            f"{whole.facts['first_loss']:.3f} to {whole.facts['last_loss']:.3f}."
        )
    lines.append("- Dev chose the layer, test is in the tables above; neither was trained on.")
    return "\n".join(lines)


def _tell_origin(cut: Checkpoint, lineage: Mapping[str, Any]) -> str:
    lines = [f"| {name} | `{value}` |" for name, value in lineage.items() if isinstance(value, str)]
    return "\n".join(
        [
            "## Where it comes from\n",
            "| made | fingerprint |", "| --- | --- |",
            *lines,
            f"| this model | `{cut.fingerprint}` |\n",
            "Settings, code, and environment are in the run's `lineage.json`; `burnish reproduce "
            "VERSION` makes it again and compares.",
        ]
    )  # fmt: skip


def _find_facts(corpus: Corpus, lineage: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the facts of what the lineage names, where it lies beside the corpus."""
    nouns: dict[str, type[Manifest]] = {"pairs": Pairs, "triplets": Triplets}
    facts: dict[str, dict[str, Any]] = {name: {} for name in nouns}
    for name, noun in nouns.items():
        folder = corpus.root / name / str(lineage.get(name, ""))
        if name in lineage and folder.exists():
            facts[name] = noun.open(folder).facts
    return facts
