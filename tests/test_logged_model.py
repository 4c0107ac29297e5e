"""One logged model for everyone: sentence-transformers, python function, folder; and no code."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient
from matplotlib.figure import Figure
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import scoring_server

from tasks.contracts import BurnishError, Checkpoint, fingerprint_folder
from tasks.core.encoder import Encoder
from tasks.logged_model import log, refuse_code
from tasks.model_files import load_encoder, save_encoder
from tasks.registry import MODEL_FOLDER, Registry
from tasks.stranger import load_in_new_process
from tasks.verify import describe_layout
from tests.conftest import build_encoder

TEXTS = ["the ship sails on the dark sea", "gold"]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return build_encoder(prompts={"query": "find: ", "document": "text: "})


@pytest.fixture(scope="module")
def folder(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a model that was logged and downloaded."""
    root = tmp_path_factory.mktemp("logged") / "root"
    registry = Registry(root, "burnish")
    cut = Checkpoint.commit(root, lambda folder: save_encoder(encoder, folder), {"bytes": 1})
    with mlflow.start_run(experiment_id=registry.experiment_id):
        uri = log(cut, "# A card\n", Figure(), {"burnish.checkpoint": cut.fingerprint})
    downloaded = Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(root / "downloaded")))
    assert fingerprint_folder(downloaded / MODEL_FOLDER) == cut.fingerprint  # byte for byte
    return downloaded


def expected(encoder: Encoder, kind: str) -> np.ndarray:
    return encoder.encode(TEXTS, kind, [encoder.layers])[:, 0]


def test_as_sentence_transformer(folder: Path, encoder: Encoder) -> None:
    model = mlflow.sentence_transformers.load_model(str(folder))
    for encode, kind in ((model.encode_query, "query"), (model.encode_document, "document")):
        assert np.allclose(encode(TEXTS), expected(encoder, kind), atol=1e-5)


def test_as_openai_answers_with_the_kind_as_a_parameter(folder: Path, encoder: Encoder) -> None:
    model = mlflow.pyfunc.load_model(str(folder))
    assert [str(param.name) for param in model.metadata.signature.params] == ["prompt_name"]
    query, document = expected(encoder, "query"), expected(encoder, "document")
    assert not np.allclose(query, document, atol=1e-2)  # else the rest would prove nothing
    # a client of OpenAI's sends more than MLflow knows, in any order
    for asked, parameters, vectors in (
        ({"input": TEXTS}, {"prompt_name": "query"}, query),
        ({"input": TEXTS}, {"prompt_name": "document"}, document),
        ({"input": TEXTS}, None, document),
        ({"model": "burnish", "input": TEXTS, "encoding_format": "float"}, None, document),
        ({"input": TEXTS[0]}, None, document[:1]),
    ):
        answer = model.predict(asked, parameters)
        assert answer["object"] == "list"
        assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] > len(vectors)
        assert [row["index"] for row in answer["data"]] == list(range(len(vectors)))
        assert {row["object"] for row in answer["data"]} == {"embedding"}
        found = np.array([row["embedding"] for row in answer["data"]])
        assert np.allclose(found, vectors, atol=1e-5)
    with pytest.raises(ValueError, match="'qeury' not found .*'query', 'document'"):
        model.predict({"input": TEXTS}, {"prompt_name": "qeury"})
    with pytest.raises(MlflowException, match="prompt_name"):
        model.predict({"input": TEXTS}, {"prompt_name": 7})
    with pytest.raises(MlflowException, match=r"missing inputs \['input'\]"):
        model.predict({"text": TEXTS})


def test_as_arrays(folder: Path, encoder: Encoder) -> None:
    model = mlflow.pyfunc.load_model(str(folder), model_config={"task": None})
    vectors = model.predict({"input": TEXTS}, {"prompt_name": "query"})
    assert np.allclose(vectors, expected(encoder, "query"), atol=1e-5)
    vectors = model.predict(pd.DataFrame({"input": TEXTS}))
    assert np.allclose(vectors, expected(encoder, "document"), atol=1e-5)


def test_as_served_over_http(folder: Path, encoder: Encoder) -> None:
    """Ask what `mlflow models serve` runs; tests/benchmarks/pulled.py starts it for real."""
    client = TestClient(scoring_server.init(mlflow.pyfunc.load_model(str(folder))))
    for asked, kind in (
        ({"input": TEXTS, "prompt_name": "query"}, "query"),
        ({"model": "burnish", "input": TEXTS}, "document"),
        ({"inputs": {"input": TEXTS}, "params": {"prompt_name": "query"}}, "query"),
    ):
        answer = client.post("/invocations", json=asked)
        assert answer.status_code == 200, answer.text
        found = answer.json().get("predictions", answer.json())["data"]
        vectors = np.array([row["embedding"] for row in found])
        assert np.allclose(vectors, expected(encoder, kind), atol=1e-5)
    assert client.post("/invocations", json={"texts": TEXTS}).status_code == 400


def test_proof_asks_sentence_transformers_and_the_python_function(
    folder: Path, encoder: Encoder
) -> None:
    loaded = load_in_new_process(folder / MODEL_FOLDER, TEXTS, ["query", "document"], logged=folder)
    assert loaded.layout == describe_layout(encoder)
    for kind in ("query", "document"):
        for vectors in (loaded.vectors[kind], loaded.served[kind]):
            assert np.allclose(vectors, expected(encoder, kind), atol=1e-5)


LOAD = """
import json, sys
import mlflow
from sentence_transformers import SentenceTransformer
served = mlflow.pyfunc.load_model(sys.argv[1], model_config={"task": None})
vectors = [
    served.predict({"input": ["gold"]}, {"prompt_name": "query"}),
    SentenceTransformer(sys.argv[1] + "/model.sentence_transformer").encode_query(["gold"]),
]
assert not {"tasks", "flows"} & {name.partition(".")[0] for name in sys.modules}
print(json.dumps([vector.tolist() for vector in vectors]))
"""


def test_where_this_package_is_not(folder: Path, encoder: Encoder, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-I", "-c", LOAD, str(folder)],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    ours = encoder.encode(["gold"], "query", [encoder.layers])[:, 0]
    for vectors in json.loads(ended.stdout):
        assert np.allclose(vectors, ours, atol=1e-5)


def test_there_is_no_code_to_trust(folder: Path, tmp_path: Path) -> None:
    assert not [file for file in folder.rglob("*") if file.suffix in {".py", ".pkl", ".bin"}]
    description = (folder / "MLmodel").read_text()
    assert "code:" not in description
    assert "/checkpoint/" not in description  # where it lay on this machine
    assert (folder / "README.md").read_text() == "# A card\n"
    assert (folder / "layers.png").stat().st_size > 0
    refuse_code(folder / MODEL_FOLDER)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("modeling.py", ""),
        ("pytorch_model.bin", ""),
        ("weights", ""),
        ("config.json", '{"auto_map": {"AutoModel": "org/name--modeling.Model"}}'),
        ("tokenizer_config.json", '{"a": [{"auto_map": {"AutoTokenizer": ["x.Y", null]}}]}'),
        ("modules.json", '[{"type": "evil.Module", "path": ""}]'),
    ],
)
def test_code_in_a_model_is_refused(file: str, content: str, tmp_path: Path) -> None:
    (tmp_path / file).write_text(content)
    with pytest.raises(BurnishError, match=f"{file} .*without code of the model's own"):
        refuse_code(tmp_path)


def test_code_that_a_base_names_is_not_handed_on(
    make_encoder: Callable[..., Encoder], tmp_path: Path
) -> None:
    save_encoder(make_encoder(), tmp_path / "base")
    config = json.loads((tmp_path / "base/config.json").read_text())
    named = config | {"auto_map": {"AutoModelForMaskedLM": "org/name--modeling.Model"}}
    (tmp_path / "base/config.json").write_text(json.dumps(named))
    save_encoder(load_encoder(tmp_path / "base"), tmp_path / "copy")
    refuse_code(tmp_path / "copy")
