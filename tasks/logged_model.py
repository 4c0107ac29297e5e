"""A model as the registry keeps it: the checkpoint's own files, and what MLflow needs beside them.

One folder serves everyone. MLflow's sentence-transformers flavour loads it, both as it is and as a
python function, so the model carries no code and needs none of this package's. Saved by that
flavour it would be written anew, in the form of the newest sentence-transformers alone; here the
files are those that were signed, byte for byte.
"""

import shutil
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .contracts import SIGNATURE, BurnishError, Checkpoint
from .model_layout import read_json
from .registry import MODEL_FOLDER

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow.models import Model, ModelSignature

FLAVOUR = "sentence_transformers"
TASK = "llm/v1/embeddings"  # {"input": […]} is answered as OpenAI's API answers
PACKAGES = ("mlflow", "sentence-transformers", "transformers", "torch")
INERT = (".json", ".safetensors", ".txt", ".model", ".jinja")  # nothing else is published


def log(checkpoint: Checkpoint, card: str, picture: "Figure", metadata: dict[str, str]) -> str:
    """Log a checkpoint in the active run; return the address of the logged model.

    Args:
        checkpoint: The model.
        card: What people read about it, in Markdown; may show `layers.png`.
        picture: `layers.png`.
        metadata: What goes into MLflow's description of the model.

    Raises:
        BurnishError: the checkpoint asks for code of its own.
    """
    from mlflow.models import Model

    refuse_code(checkpoint.path)
    info = Model.log(
        artifact_path=None,
        name="model",
        flavor=Flavour,
        flavor_name=FLAVOUR,
        metadata=metadata | {"task": TASK},
        checkpoint=checkpoint,
        card=card,
        picture=picture,
    )
    return str(info.model_uri)


class Flavour:
    """What MLflow calls to have a model written."""

    @staticmethod
    def save_model(
        path: str, mlflow_model: "Model", checkpoint: Checkpoint, card: str, picture: "Figure"
    ) -> None:
        """Write the model's folder in MLflow's form."""
        from mlflow import pyfunc

        folder = Path(path)
        shutil.copytree(
            checkpoint.check().path,
            folder / MODEL_FOLDER,
            ignore=shutil.ignore_patterns(SIGNATURE),
            copy_function=shutil.copyfile,
        )
        (folder / "README.md").write_text(card, encoding="utf-8")
        picture.savefig(folder / "layers.png")
        pins = [f"{name}=={version(name).split('+')[0]}" for name in PACKAGES]
        (folder / "requirements.txt").write_text("\n".join(pins) + "\n")
        (folder / "python_env.yaml").write_text(
            f"python: {pyfunc.PYTHON_VERSION}\n"
            "build_dependencies: [pip, setuptools, wheel]\n"
            'dependencies: ["-r requirements.txt"]\n'
        )
        mlflow_model.signature = make_signature()
        mlflow_model.model_size_bytes = checkpoint.facts.get("bytes")
        mlflow_model.add_flavor(FLAVOUR, sentence_transformers_version=version(PACKAGES[1]))
        pyfunc.add_to_model(
            mlflow_model,
            loader_module=f"mlflow.{FLAVOUR}",
            data=MODEL_FOLDER,
            python_env="python_env.yaml",
            model_config={"task": TASK},
        )
        mlflow_model.save(str(folder / "MLmodel"))


def make_signature() -> "ModelSignature":
    """Return OpenAI's embeddings in and out, and one parameter: which prompt the texts get.

    MLflow hands the parameter to `SentenceTransformer.encode`, hence its name. Documents are the
    default: there are more of them, and a model without prompts knows no difference. The input is
    named: without a name a list would do too, but MLflow would embed whichever key came first.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ParamSchema, ParamSpec
    from mlflow.types.llm import EMBEDDING_MODEL_INPUT_SCHEMA, EMBEDDING_MODEL_OUTPUT_SCHEMA

    return ModelSignature(
        EMBEDDING_MODEL_INPUT_SCHEMA,
        EMBEDDING_MODEL_OUTPUT_SCHEMA,
        ParamSchema([ParamSpec("prompt_name", "string", "document")]),
    )


def refuse_code(folder: Path) -> None:
    """Refuse a model that would run code of its own where it is loaded.

    MLflow loads every such model with `trust_remote_code=True`, so there must be none to trust.

    Raises:
        BurnishError: a file may hold code, or a configuration names some.
    """
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        if file.suffix not in INERT:
            raise BurnishError(f"{file} may run code where the model is loaded. {_ADVICE}")
        if file.match("*config*.json") and _names_code(read_json(file)):
            raise BurnishError(f"{file} names code to be run (`auto_map`). {_ADVICE}")
    modules = folder / "modules.json"
    for module in read_json(modules) if modules.exists() else []:
        if not str(module["type"]).startswith("sentence_transformers."):
            raise BurnishError(f"{modules} names code to be run ({module['type']}). {_ADVICE}")


_ADVICE = "Choose a base model that transformers loads without code of the model's own."


def _names_code(value: Any) -> bool:  # noqa: ANN401 - whatever the file holds
    if isinstance(value, dict):
        return "auto_map" in value or any(map(_names_code, value.values()))
    return isinstance(value, list) and any(map(_names_code, value))
