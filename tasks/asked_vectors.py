"""Embeddings that an API is asked for: each text once, kept as soon as it is answered."""

import contextlib
import itertools
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from .contracts import BurnishError, fingerprint
from .core.personal import mask_personal
from .endpoint import EmbeddingEndpointConfig
from .generators.budget import estimate_tokens
from .generators.chat import Chat, OutOfPatience
from .generators.concurrently import run_concurrently
from .generators.pace import Pace
from .generators.retries import count_failure, pause
from .kept_vectors import text_keys
from .memo import Memo
from .progress import progress
from .vectors import VectorMemo

if TYPE_CHECKING:
    from openai import AsyncOpenAI

logger = logging.getLogger(__name__)

ADDRESS, KEY = "OPENAI_BASE_URL", "OPENAI_API_KEY"
OPENAI = "https://api.openai.com/v1"


class AskedVectors:
    """The embeddings of one model behind an OpenAI-compatible API."""

    def __init__(self, config: EmbeddingEndpointConfig, root: Path) -> None:
        """Look up the address.

        Args:
            config: Which model, and how it is asked.
            root: Folder of all nouns.

        Raises:
            BurnishError: the address is none.
        """
        self._config = config
        self._root = root
        self._address = read_address()
        if not self._address.startswith(("http://", "https://")):
            raise BurnishError(
                f"The environment variable {ADDRESS} does not begin with http:// or https://. Put "
                "the address of the API there, as in http://localhost:8000/v1."
            )
        self._api = Chat(self._address, KEY, config.timeout_seconds, {})
        self._settings = {
            "model": config.model,
            "dimensions": config.dimensions,
            # another model may have the same name elsewhere; an address may hold a secret
            "address": fingerprint(self._address),
        }

    def find_dimension(self) -> int:
        """Return the length of an embedding; the first time, a word is embedded to see it.

        Raises:
            BurnishError: the endpoint cannot be reached, or refuses.
        """
        memo = Memo(self._root, "endpoint_dimensions", self._settings, pa.int32())

        def measure(parts: list[list[str]]) -> list[int]:
            return [vectors.shape[1] for _, vectors in self._ask_all(parts)]

        return int(memo.fill({"": ["length"]}, measure)[0].as_py())

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Embed texts; what was asked before comes from the memo.

        Returns:
            (texts, dimension) float32, each of length 1, in a memory map.

        Raises:
            BurnishError: the endpoint does not answer. What it answered until then is kept.
        """
        dimension = self.find_dimension()
        memo = VectorMemo(self._root, "endpoint_embeddings", self._settings, [0], dimension)
        sent = [self._clean(text) for text in texts]
        keys = text_keys(sent).dictionary_encode()
        numbers = keys.indices.to_numpy()
        first = np.unique(numbers, return_index=True)[1]  # where each different text is
        rows = memo.find(keys.dictionary)
        missing = np.flatnonzero(rows < 0)
        step = self._config.texts_per_request
        parts = [missing[start : start + step] for start in range(0, len(missing), step)]
        known = len(first) - len(missing)
        with progress(f"{self._config.model}: embedding", len(first), "texts") as advance:
            advance(known)
            requests = [[sent[place] for place in first[part]] for part in parts]
            for number, vectors in self._ask_all(requests):
                self._require(vectors.shape[1] == dimension, f"{vectors.shape[1]} numbers a text "
                              f"where it gave {dimension} before")  # fmt: skip
                part = parts[number]
                asked = keys.dictionary.take(pa.array(part))
                kept = np.ascontiguousarray(vectors[:, None])
                rows[part] = memo.fill(asked, kept.__getitem__, part_items=len(part))
                advance(len(part))
        logger.info("%s: %d texts embedded, %d known", self._config.model, len(missing), known)
        return memo.gather(rows[numbers], [0])[:, 0]

    def _clean(self, text: str) -> str:
        cleaned = mask_personal(text) if self._config.mask_personal else text
        return cleaned if cleaned.strip() else "-"  # an empty text is refused

    def _ask_all(self, requests: Sequence[list[str]]) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the number of each request and its vectors, as they are answered."""
        if not requests:
            return
        client, config = self._api.connect(), self._config
        pace = Pace(config.requests_per_minute, config.tokens_per_minute, config.patience_seconds)
        errors: list[BaseException] = []
        calls = run_concurrently(
            lambda number: self._ask(client, pace, requests[number]),
            # after a failure nothing is begun, but what is under way is kept too
            itertools.takewhile(lambda _: not errors, range(len(requests))),
            concurrency=config.concurrency,
            close=client.close,
        )
        with contextlib.closing(calls):
            for number, future in calls:
                if error := future.exception():
                    errors.append(error)
                else:
                    yield number, future.result()
        if errors:
            raise self._refuse(errors[0])

    async def _ask(self, client: "AsyncOpenAI", pace: Pace, texts: list[str]) -> np.ndarray:
        from openai import APIError

        wanted: dict[str, Any] = {"model": self._config.model, "encoding_format": "float"}
        if self._config.dimensions is not None:
            wanted["dimensions"] = self._config.dimensions
        tokens, failed = sum(map(estimate_tokens, texts)), 0
        while True:
            started = await pace.turn(tokens)
            try:
                reply = await client.embeddings.create(input=texts, **wanted)
                vectors = _read(reply, len(texts))
            except APIError as error:
                most = self._config.max_retries
                failed = count_failure(
                    self._api, pace, error, started, failed, most, called=ADDRESS
                )
                await pause(failed)
            else:
                used = getattr(reply.usage, "prompt_tokens", None)
                pace.answered(tokens, used if isinstance(used, int) else tokens)
                return vectors

    def _require(self, is_so: bool, what: str) -> None:
        if not is_so:
            raise self._refuse(ValueError(what))

    def _refuse(self, error: BaseException) -> BurnishError:
        if isinstance(error, BurnishError):
            return error
        what = self._api.describe(error).replace(self._address, f"[{ADDRESS}]")
        return BurnishError(
            f"The endpoint of {ADDRESS} gives no embeddings of {self._config.model}: {what}. "
            f"{self._advise(error)} What it answered is kept; the next run goes on from it, or "
            "leaves it out without --evaluate.endpoint.model."
        )

    def _advise(self, error: BaseException) -> str:
        from openai import APIConnectionError, APIStatusError

        said = error.__cause__ if isinstance(error, OutOfPatience) else error
        is_plain = isinstance(said, APIConnectionError) or (
            isinstance(said, APIStatusError) and said.status_code < 500
        )
        return self._api.advise(error) if is_plain else "Try again later, or name another model."


def read_address() -> str:
    """Return the address of the API, which is in no setting."""
    return os.environ.get(ADDRESS, "").strip().rstrip("/") or OPENAI


def _read(reply: Any, count: int) -> np.ndarray:  # noqa: ANN401 - whatever the endpoint sent
    """Return the embeddings of an answer, (texts, dimension), each of length 1.

    Raises:
        ValueError: it holds none, or not one per text.
    """
    try:
        items = sorted(reply.data, key=lambda item: item.index)
        vectors = np.array([item.embedding for item in items], dtype=np.float32)
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError("an answer that holds no embeddings") from error
    if vectors.ndim != 2 or len(vectors) != count or not np.isfinite(vectors).all():
        raise ValueError(f"an answer that holds no {count} embeddings of one length")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: np.ndarray = vectors / np.maximum(lengths, 1e-12)
    return scaled
