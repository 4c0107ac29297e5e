"""search: ask the champion, from the registry, about the last corpus."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import CliPositionalArg

from flows.state import find_corpus
from tasks.config import Config
from tasks.contracts import BurnishError, Corpus
from tasks.registry import CANDIDATE, CHAMPION, Pulled, Registry


class SearchConfig(Config):
    """Search the last corpus with the champion."""

    question: CliPositionalArg[str] = Field(min_length=1)
    """What you want to know."""
    count: int = Field(default=5, ge=1, le=100)
    """Passages to show."""
    name: str = "burnish"
    """Name of the registered model."""
    root: Path = Path(".burnish")
    """Folder that the model was made in."""


def search(config: SearchConfig) -> None:
    """Print the passages that answer the question best, with their scores and places.

    Raises:
        BurnishError: nothing was trained here yet.
    """
    from rich.console import Console
    from rich.markup import escape

    root = config.root.expanduser().resolve()
    corpus = read_last_corpus(root)
    alias, pulled = pull(root, config.name)
    console = Console()
    console.print(f"[dim]version {pulled.version} of {config.name} ({alias})[/dim]\n")
    rows = corpus.read().to_pylist()
    for place, (row, score) in enumerate(rank(corpus, pulled, config.question, config.count), 1):
        passage = rows[row]
        where = " ".join(part for part in (passage["source"], passage["position"]) if part)
        section = f" > {passage['section']}" if passage["section"] else ""
        console.print(
            f"[bold]{place}. {escape(passage['title'])}[/bold]{escape(section)}"
            f"  [green]{score:.3f}[/green]  [dim]{escape(where)}[/dim]"
        )
        text = " ".join(passage["text"].split())
        console.print(
            f"   {escape(text[:300])}{'...' if len(text) > 300 else ''}\n", highlight=False
        )


def rank(corpus: Corpus, pulled: Pulled, question: str, count: int) -> list[tuple[int, float]]:
    """Return corpus rows and cosines of the passages nearest to the question, best first."""
    from tasks.contracts import batched_rows
    from tasks.core.index import build_index
    from tasks.core.text import compose
    from tasks.embed import embed
    from tasks.model_files import load_encoder

    encoder = load_encoder(pulled.checkpoint.path)
    columns = ("title", "section", "text")
    texts = [compose(*parts) for parts in batched_rows(corpus.read(), columns)]
    vectors = embed(corpus.root, pulled.checkpoint, texts, "document", [encoder.layers])[:, 0]
    query = encoder.encode([question], "query", [encoder.layers])[:, 0]
    ids, scores = build_index(vectors).search(query, count)
    return [
        (int(row), float(score)) for row, score in zip(ids[0], scores[0], strict=True) if row >= 0
    ]


def pull(root: Path, name: str) -> tuple[str, Pulled]:
    """Download the champion; before there is one, the last candidate, and say so."""
    registry = Registry(root, name)
    for alias in (CHAMPION, CANDIDATE):
        version = registry.find(alias)
        if version is not None:
            told = alias if alias == CHAMPION else "candidate: no version has become champion yet"
            return told, registry.pull(version)
    raise BurnishError(f"No version of {name} is registered. Run `burnish retrain` first.")


def read_last_corpus(root: Path) -> Corpus:
    """Return the corpus that the last run was made from."""
    corpus = find_corpus(root)
    if corpus is None:
        raise BurnishError(
            f"Nothing was made below {root} yet. Run `burnish retrain` first, or give --root."
        )
    return corpus
