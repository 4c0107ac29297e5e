"""retrain: the whole chain, from documents to a registered model. `python -m flows.retrain`."""

import sys
from typing import Any, Literal, NamedTuple

from prefect import flow

from flows.dataset import build_dataset
from flows.links import find_links, tag_flow_run
from flows.model import Model, build_model
from flows.needed import is_training_needed
from flows.outcome import TELLING, name_outcome, name_run
from flows.page import attach_page, show_page
from flows.settings import DocumentsConfig, RetrainConfig
from flows.state import Sight, point_to_corpus, remember_training
from flows.summary import summarize
from tasks.adopt import adopt
from tasks.config import Config
from tasks.contracts import Checkpoint, fingerprint
from tasks.draw import draw
from tasks.janitor import end_dead_runs
from tasks.registry import Registry
from tasks.shared import ready_store
from tasks.sources import Listing, list_sources


@flow(name="retrain", persist_result=False, **TELLING)
def retrain(config: RetrainConfig, when: Literal["always", "needed"] = "always") -> Model | None:
    """Build a dataset from documents, then a model from the dataset, and publish it.

    Args:
        config: Settings.
        when: Train always, or only when the policy finds that enough changed since the last time;
            new documents start runs that train only when needed.
    """
    root = config.root.expanduser().resolve()
    ready_store(root)
    registry = Registry(root, config.registry.name)  # better told now than at last if it is down
    end_dead_runs(registry)
    inputs = take_in(config)
    seen = see(config, inputs.listing)  # what comes from here on is for the next run
    if when == "needed" and not is_training_needed(inputs, seen):
        return None
    base, listing, stages = inputs
    dataset = build_dataset(base, listing, stages)
    point_to_corpus(root, dataset.corpus.fingerprint, seen)
    page = draw(*dataset)  # to be read while the model is trained
    show_page(page)
    model = build_model(base, dataset, stages, describe_settings(stages))
    if model.dataset.triplets.fingerprint != dataset.triplets.fingerprint:
        page = draw(*model.dataset)
        show_page(page)
    facts = model.registration.facts
    attach_page(page, registry, facts["run_id"])
    tag_flow_run(registry, facts)
    summarize(base, model.dataset, model, find_links(registry, facts))
    remember_training(root, model.dataset.corpus, model.dataset.pairs)
    name_run(name_outcome(facts, model.champion))
    return model


class Inputs(NamedTuple):
    """What the chain starts from."""

    base: Checkpoint
    listing: Listing
    stages: RetrainConfig
    """The settings, each stage's seed among them."""


def take_in(config: RetrainConfig) -> Inputs:
    """Find the documents and the base, wherever they are."""
    root, listing = config.root.expanduser().resolve(), list_documents(config)
    return Inputs(adopt(config.base, root, config=config.adopt), listing, seeded(config))


def list_documents(config: DocumentsConfig) -> Listing:
    """Look at the documents, and at what belongs to them, as they are now."""
    return list_sources(
        config.sources, choose_questions(config), config.clicks, config.root.expanduser().resolve(),
        max_file_bytes=config.max_file_bytes,
    )  # fmt: skip


def see(config: DocumentsConfig, listing: Listing) -> Sight:
    """Return what was behind the sources, to see later whether any of it changed."""
    named = [sorted(config.sources), choose_questions(config), sorted(config.clicks)]
    return Sight(fingerprint(named), listing.content)


def choose_questions(config: DocumentsConfig) -> str:
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


def main() -> None:
    """Run the chain as a command: every setting is an option, `--help` lists them."""
    from flows.command import run

    run(["retrain", *sys.argv[1:]])


if __name__ == "__main__":
    main()
