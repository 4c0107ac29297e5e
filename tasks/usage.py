"""How to use a registered model, by every way there is to pull it, as its card tells people."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model_layout import Layout

_PYTHON = """\
import mlflow

uri = "models:/{name}@champion"  # or models:/{name}/VERSION

# 1. as a SentenceTransformer
model = mlflow.sentence_transformers.load_model(uri)
model.encode_query("…"), model.encode_document(["…", "…"])

# 2. as a python function, which answers as OpenAI's API does; documents if no kind is named
served = mlflow.pyfunc.load_model(uri)  # model_config={{"task": None}}: bare arrays
served.predict({{"input": ["…"]}}, {{"prompt_name": "query"}})

# 3. as a folder, for which mlflow-skinny is enough
folder = mlflow.artifacts.download_artifacts(uri) + "/model.sentence_transformer"

from sentence_transformers import SentenceTransformer
SentenceTransformer(folder)

from langchain_huggingface import HuggingFaceEmbeddings
HuggingFaceEmbeddings(model_name=folder, encode_kwargs={{"prompt_name": "document"}},
                      query_encode_kwargs={{"prompt_name": "query"}})

from llama_index.embeddings.huggingface import HuggingFaceEmbedding
HuggingFaceEmbedding(folder, query_instruction={query!r}, text_instruction={document!r})"""

_SHELL = """\
# 4. as a server
mlflow models serve --model-uri models:/{name}@champion --env-manager local --port 5001
curl http://127.0.0.1:5001/invocations -H 'Content-Type: application/json' \\
     -d '{{"input": ["…"], "prompt_name": "query"}}'"""


def tell_use(name: str, layout: "Layout") -> str:
    """Return the card's section on how to use the model.

    Args:
        name: Of the registered model.
        layout: Whose prompts the model has.
    """
    prompts = {kind: layout.prompts.get(kind, "") for kind in ("query", "document")}
    python, shell = (part.format(name=name, **prompts) for part in (_PYTHON, _SHELL))
    told = [f"`{prompt}` before a {kind}" for kind, prompt in prompts.items() if prompt]
    return (
        "## How to use it\n\n"
        "With `MLFLOW_TRACKING_URI` set to the address of the registry:\n\n"
        f"```python\n{python}\n```\n\n```shell\n{shell}\n```\n\n"
        f"Prompts: {', '.join(told) or 'none'}; each of these ways puts them there. "
        "The folder holds no code, so nothing has to be trusted to load it."
    )
