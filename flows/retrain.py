"""retrain: the whole chain, from documents to a registered model. `python -m flows.retrain`."""

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

from prefect import flow

from flows.dataset import build_dataset
from flows.model import Model, build_model
from flows.page import attach_page, show_page
from flows.settings import RetrainConfig
from flows.summary import summarize
from tasks.adopt import adopt
from tasks.config import Config
from tasks.contracts import Checkpoint, writable
from tasks.draw import draw
from tasks.registry import Registry
from tasks.sources import Listing, list_sources


@flow(name="retrain", persist_result=False)
def retrain(config: RetrainConfig) -> Model:
    """Build a dataset from documents, then a model from the dataset, and publish it."""
    root = config.root.expanduser().resolve()
    Registry(root, config.registry.name)  # that it does not answer is better told now than at last
    base, listing, stages = take_in(config)
    dataset = build_dataset(base, listing, stages)
    point_to_corpus(root, dataset.corpus.fingerprint)
    page = draw(*dataset)  # to be read while the model is trained
    show_page(page)
    model = build_model(base, dataset, stages, describe_settings(stages))
    if model.dataset.triplets.fingerprint != dataset.triplets.fingerprint:
        page = draw(*model.dataset)
        show_page(page)
    attach_page(page, Registry(root, config.registry.name), model.registration.facts["run_id"])
    summarize(base, model.dataset, model)
    return model


class Inputs(NamedTuple):
    """What the chain starts from."""

    base: Checkpoint
    listing: Listing
    stages: RetrainConfig
    """The settings, each stage's seed among them."""


def take_in(config: RetrainConfig) -> Inputs:
    """Find the documents and the base, wherever they are."""
    root = config.root.expanduser().resolve()
    listing = list_sources(
        config.sources, choose_questions(config), config.clicks, root,
        max_file_bytes=config.max_file_bytes,
    )  # fmt: skip
    return Inputs(adopt(config.base, root, config=config.adopt), listing, seeded(config))


def choose_questions(config: RetrainConfig) -> str:
    """Return the folder of judged questions: the one named, or what belongs to the sources."""
    if config.questions is not None:
        return config.questions
    return "builtin:python" if config.sources == ("pydoc:",) else ""


def seeded(config: RetrainConfig) -> RetrainConfig:
    """Give the one seed to every stage that draws anything and names none of its own."""
    stages = {
        name: value.model_copy(update={"seed": config.seed})
        for name, value in config
        if isinstance(value, Config)
        and "seed" in type(value).model_fields.keys() - value.model_fields_set
    }
    return config.model_copy(update=stages)


def describe_settings(config: RetrainConfig) -> dict[str, Any]:
    """Flatten the settings that were used into `stage.field`, for the registry's parameters.

    >>> describe_settings(RetrainConfig())["train.temperature"]
    0.05
    """
    settings: dict[str, Any] = {}
    for name, value in config.model_dump(mode="json", exclude={"root"}).items():
        if isinstance(value, dict):
            settings |= {f"{name}.{field}": inner for field, inner in value.items()}
        else:
            settings[name] = value
    return settings


def point_to_corpus(root: Path, fingerprint: str) -> None:
    """Remember which corpus is the last one, for the search."""
    with writable(root):
        (root / "last.json.part").write_text(json.dumps({"corpus": fingerprint}))
        (root / "last.json.part").replace(root / "last.json")


def main() -> None:
    """Run the chain as a command: every setting is an option, `--help` lists them."""
    from flows.command import run

    run(["retrain", *sys.argv[1:]])


if __name__ == "__main__":
    main()
