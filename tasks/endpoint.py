"""An embedding model behind any OpenAI-compatible API, scored beside ours."""

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from .config import Config
from .contracts import PLAIN, fingerprint

if TYPE_CHECKING:
    from .benchmark import Benchmark, System

OURS = ("tuned", PLAIN, "base", "champion", "BM25")


class EmbeddingEndpointConfig(Config):
    """Which embedding model behind an API is scored, and how it is asked.

    Address and key are read from the environment alone, OPENAI_BASE_URL (OpenAI's if not set) and
    OPENAI_API_KEY, and never written down.
    """

    model: str = ""
    """Name of the model, such as text-embedding-3-large. All texts of the corpus are sent there,
    each once."""
    dimensions: int | None = Field(default=None, ge=1)
    """Numbers of an embedding, asked for with every request; not given, what the model gives."""
    texts_per_request: int = Field(default=32, ge=1, le=2048)
    """Texts sent at once; 32 is what Hugging Face's server takes by default, OpenAI takes 2048."""
    concurrency: int = Field(default=8, ge=1, le=256)
    """Most requests under way at once."""
    requests_per_minute: int | None = Field(default=None, ge=1)
    """Most requests in a minute, evenly spread; as fast as it answers if none is given."""
    tokens_per_minute: int | None = Field(default=None, ge=1)
    """Most tokens in a minute, by estimate until the answer tells."""
    patience_seconds: float = Field(default=600, ge=0)
    """Longest time without any answer while the endpoint says that it is busy."""
    max_retries: int = Field(default=6, ge=0, le=20)
    """Tries after the first for one request that fails otherwise, with growing pauses."""
    timeout_seconds: float = Field(default=60, gt=0)
    """Longest wait for one answer."""
    mask_personal: bool = True
    """Replace e-mail addresses, phone and card numbers, keys, and the like before text is sent."""

    @field_validator("model")
    @classmethod
    def _has_a_name_of_its_own(cls, value: str) -> str:
        if value.strip() in OURS:
            raise ValueError(f"{value.strip()} is what a system of ours is called in the scores")
        return value.strip()


def check_endpoint(config: EmbeddingEndpointConfig, root: Path) -> None:
    """See that the endpoint answers, if one is named and it was not seen before.

    Raises:
        BurnishError: it cannot be reached, or refuses.
    """
    if config.model:
        from .asked_vectors import AskedVectors

        AskedVectors(config, root).find_dimension()


def identify_endpoint(config: EmbeddingEndpointConfig) -> str:
    """Hash the address, which is in no setting: another server's scores are others; '' for none."""
    if not config.model:
        return ""
    from .asked_vectors import read_address

    return fingerprint(read_address())


def score_endpoint(
    benchmark: "Benchmark", root: Path, config: EmbeddingEndpointConfig, passages_per_query: int
) -> "list[System]":
    """Search a whole corpus with the endpoint's embeddings, by cosine; none if none is named.

    Raises:
        BurnishError: it does not answer. What it answered until then is kept.
    """
    if not config.model:
        return []
    from .asked_vectors import AskedVectors
    from .benchmark import System
    from .scoring import measure_vectors

    endpoint = AskedVectors(config, root)
    asked, seen, passages = (
        endpoint.embed(texts)
        for texts in (benchmark.questions, benchmark.hidden_texts, benchmark.passages.texts)
    )
    values = measure_vectors(benchmark, asked, seen, passages, passages_per_query)
    return [System(config.model, 0, "", passages.shape[1], 0.0, values)]
