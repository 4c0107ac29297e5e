"""Every backbone through the chain: trained, scored, cut, saved, loaded by a stranger."""

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tasks import truncate as truncate_module
from tasks.adopt import AdoptConfig, adopt
from tasks.contracts import Checkpoint, Corpus, Pairs, Triplets
from tasks.core.backbones import BACKBONES
from tasks.core.encoder import Kind
from tasks.evaluate import EvaluateConfig, evaluate
from tasks.model_files import load_encoder, save_encoder
from tasks.train import TrainConfig, train
from tasks.truncate import TruncateConfig, truncate
from tests.conftest import ARCHITECTURES, WORDS, build_encoder

TEXTS = ["the ship sails on the dark sea", "gold", "Zebra-42 ünïcode", " ".join(WORDS) * 3]
CHANGES: dict[str, AdoptConfig] = {  # others stay as their folder says, the query's prompt too
    "distilbert": AdoptConfig(pooling="cls", query_prompt="", document_prompt=""),
    "llama": AdoptConfig(pooling="mean", query_prompt="which: "),
    "modernbert": AdoptConfig(pooling="cls", query_prompt="find: ", document_prompt="text: "),
    "mpnet": AdoptConfig(pooling="max"),
    "qwen3": AdoptConfig(pooling="lasttoken", query_prompt="Instruct: find\nQuery: "),
    "xlm-roberta": AdoptConfig(query_prompt="query: ", document_prompt="passage: "),
}
TRAIN = TrainConfig(
    epochs=2, learning_rate=1e-3, passages_per_batch=8, queries_per_passage=1,
    exits=(1, 2), precision="float32", checkpoint_seconds=1e9,
)  # fmt: skip
KINDS: tuple[Kind, ...] = ("query", "document")
STRANGER = """
import json, sys
import numpy
from sentence_transformers import SentenceTransformer
request = json.load(sys.stdin)
vectors, told = {}, {}
for name, folder in request["folders"].items():
    model = SentenceTransformer(folder, device="cpu", local_files_only=True)
    vectors[name + "/query"] = model.encode_query(request["texts"])
    vectors[name + "/document"] = model.encode_document(request["texts"])
    config = model[0].auto_model.config
    told[name] = [config.model_type, config.num_hidden_layers, model[1].pooling_mode, model.prompts]
numpy.savez(request["vectors"], **vectors)
json.dump(told, sys.stdout)
"""


class Made(NamedTuple):
    """What became of one backbone, and what a stranger finds in its folder."""

    base: Checkpoint
    trained: Checkpoint
    cut: Checkpoint
    vectors: dict[str, np.ndarray]
    told: list[Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Made]]:
    """Take every backbone through the stages; load all that came of it in one new process."""
    root = tmp_path_factory.mktemp("chain")
    corpus, pairs, triplets = write_dataset(root)
    chains: dict[str, tuple[Checkpoint, Checkpoint, Checkpoint]] = {}
    with pytest.MonkeyPatch.context() as patch:
        # a new process for each takes too long: what it proves is proved below, for all in one
        patch.setattr(truncate_module, "verify_cut", lambda *_: 1.0)
        for name in ARCHITECTURES:
            save_encoder(build_encoder(name), root / "bases" / name)
            base = adopt(str(root / "bases" / name), root, config=CHANGES.get(name, AdoptConfig()))
            trained = train.fn(corpus, pairs, triplets, base, TRAIN)
            scores = evaluate.fn(trained, base, corpus, pairs, EvaluateConfig(resamples=100))
            few = TruncateConfig(tolerance=0.99, min_questions=1, resamples=100)
            cut = truncate.fn(trained, scores, few)
            chains[name] = base, trained, cut
    folders = {name: str(cut.path) for name, (*_, cut) in chains.items()}
    request = {"folders": folders, "texts": TEXTS, "vectors": f"{root}/vectors.npz"}
    process = subprocess.run(
        [sys.executable, "-P", "-c", STRANGER], cwd=root, input=json.dumps(request),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    told = json.loads(process.stdout)
    with np.load(root / "vectors.npz") as vectors:
        found = {name: {kind: vectors[f"{name}/{kind}"] for kind in KINDS} for name in chains}
    yield {name: Made(*chain, found[name], told[name]) for name, chain in chains.items()}


def write_dataset(root: Path) -> tuple[Corpus, Pairs, Triplets]:
    """Write 36 passages, half of them to train on, each asked for by some of its words."""
    draw = random.Random(0)
    corpus: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    triplets: list[dict[str, Any]] = []
    for number in range(36):
        named = {"passage_id": f"{number}#0"}
        asked = {"query_id": f"q{number}", **named}
        words = draw.sample(WORDS, 9)
        corpus.append(
            {"document_id": str(number), "title": "", "section": "", "text": " ".join(words),
             "source": "", "position": "", "cluster": f"{number}#0", **named}
        )  # fmt: skip
        split = "train" if number % 2 else "dev" if number % 9 else "test"
        pairs.append(
            {"query": " ".join(words[2:5]), "relevance": 1, "origin": "structure", "split": split,
             "masked": "", "weight": 1.0, **asked}
        )  # fmt: skip
        if split == "train":
            mined = {"negative_ids": [f"{(number + 2) % 36}#0"], "negative_scores": [0.5]}
            triplets.append({"unknown_ids": [], "score": 0.9, **mined, **asked})
    return Corpus.write(root, corpus), Pairs.write(root, pairs), Triplets.write(root, triplets)


def test_no_backbone_is_left_out() -> None:
    assert set(ARCHITECTURES) == set(BACKBONES)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_stranger_gets_the_vectors_of_the_trained_models_layer(
    made: dict[str, Made], name: str
) -> None:
    base, trained, cut, vectors, told = made[name]
    whole, start = load_encoder(trained.path), load_encoder(base.path)
    layer = cut.facts["layer"]
    assert layer < whole.layers == 3
    assert told == [name, layer, whole.pooling, dict(whole.prompts)]
    for kind in KINDS:
        expected = whole.encode(TEXTS, kind, [layer, 3])
        np.testing.assert_allclose(vectors[kind], expected[:, 0], rtol=0, atol=1e-5)
        # else the property would hold of a model that was neither trained nor cut
        untrained = start.encode(TEXTS, kind, [layer])
        for other in (expected[:, 1], untrained[:, 0]):
            assert float((vectors[kind] * other).sum(axis=1).min()) < 0.9999


@pytest.mark.parametrize("name", CHANGES)
def test_pooling_and_prompts_chosen_at_the_start_are_there_at_the_end(
    made: dict[str, Made], name: str
) -> None:
    chosen, (*_, pooling, prompts) = CHANGES[name], made[name].told
    assert pooling == (chosen.pooling or "mean")
    query = "query: " if chosen.query_prompt is None else chosen.query_prompt
    assert prompts == {"query": query, "document": chosen.document_prompt or ""}
    is_same = bool((made[name].vectors["query"] == made[name].vectors["document"]).all())
    assert is_same == (query == prompts["document"])
