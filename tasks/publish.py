"""A version in the registry: logged, registered, and proven by a process that knows only it."""

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .cells import find_cell
from .contracts import BurnishError, Checkpoint, fingerprint_folder
from .janitor import PROCESS_TAG, describe_process
from .model_card import Card
from .registry import CHECKPOINT_TAG, MODEL_FOLDER, PROOF_TAG, Registry, read_proof

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

    from .report import Row


class Proof(NamedTuple):
    """What was found in the registry: the model, and how like the one that was logged it is."""

    checkpoint: Checkpoint
    cosine: float


def publish(
    registry: Registry,
    cut: Checkpoint,
    rows: "list[Row]",
    measures: dict[str, float],
    lineage: dict[str, Any],
    card: Card,
) -> "ModelVersion":
    """Return the version of this checkpoint; if there is none, log all of it, register it last.

    Args:
        registry: Where to.
        cut: The model.
        rows: Its scores.
        measures: Other numbers about it.
        lineage: Fingerprints of all that went in, settings, code, and environment.
        card: What people read about it.
    """
    import mlflow

    with registry.locked(
        "upload"
    ):  # of two that come with the same model the second finds the first's
        version = registry.find_checkpoint(cut.fingerprint)
        if version is not None:
            return version
        registry.end_stale_runs(cut.fingerprint)
        tags = {CHECKPOINT_TAG: cut.fingerprint} | {
            f"burnish.{name}": value for name, value in lineage.items() if isinstance(value, str)
        }
        with mlflow.start_run(
            experiment_id=registry.experiment_id,
            run_name=f"{registry.name}-{cut.fingerprint[:8]}",
            tags=tags | {PROCESS_TAG: describe_process()},
            log_system_metrics=False,
        ) as run:
            uri = _log(cut, rows, measures, lineage, tags, card)
        try:
            registry.client.create_registered_model(registry.name)
        except mlflow.MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        return mlflow.register_model(uri, registry.name, tags={**tags, "run": run.info.run_id})


def prove(registry: Registry, version: "ModelVersion", cut: Checkpoint) -> Proof:
    """Load a version from the registry in a new process; sign it if it is what was logged.

    Files, vectors, number of layers, prompts, pooling, and lengths have to be the same, and the
    python function has to answer with the same vectors. A version that was proven is proven as
    long as its files are the same.

    Raises:
        BurnishError: something differs.
    """
    from .adopt import adopt

    proof = read_proof(version)
    with registry.download(version) as folder:  # refuses other files than were proven
        if not proof:
            proof = _prove(registry, version, folder, cut)
            registry.client.set_model_version_tag(
                registry.name, version.version, PROOF_TAG, json.dumps(proof, ensure_ascii=False)
            )
        uri = f"models:/{registry.name}/{version.version}"
        checkpoint = adopt(str(folder / MODEL_FOLDER), registry.root, label=uri)
    return Proof(checkpoint, proof["cosine"])


def _prove(
    registry: Registry, version: "ModelVersion", folder: Path, cut: Checkpoint
) -> dict[str, Any]:
    """Return what a new process finds in `folder`, as it was downloaded: the proof."""
    from .model_files import load_encoder
    from .stranger import load_in_new_process
    from .verify import PROBES, compare, distinct_kinds

    encoder, model = load_encoder(cut.path), folder / MODEL_FOLDER
    is_same = fingerprint_folder(model) == cut.fingerprint
    # MLflow trusts the code of whatever it loads: it gets no files but those that have none
    loaded = load_in_new_process(
        model, PROBES, distinct_kinds(encoder), logged=folder if is_same else None
    )
    agreement = compare(loaded, encoder, PROBES)
    differences = [*agreement.differences, *([] if is_same else ["its files are others"])]
    if differences:
        raise BurnishError(
            f"Version {version.version} of {registry.name}, loaded from the registry in a new "
            f"process, is not the model that was logged: {'; '.join(differences)}. No alias "
            "was moved; delete the version and run again."
        )
    cosine = round(agreement.cosine, 6)
    return {"checkpoint": cut.fingerprint, "cosine": cosine, **loaded.layout}


def _log(
    cut: Checkpoint,
    rows: "list[Row]",
    measures: dict[str, float],
    lineage: dict[str, Any],
    tags: dict[str, str],
    card: Card,
) -> str:
    """Log scores, pictures, lineage, and the model in the active run; return its address."""
    import mlflow

    from . import logged_model
    from .front import draw_front
    from .report import draw_layers, keep_one_way, tabulate

    settings = lineage.get("settings", {})
    mlflow.log_params({name: _describe(value) for name, value in settings.items()})
    # a curve by layer; the table has every cell
    _, pooling, dimension = find_cell(cut, cut.facts["layer"])
    own = keep_one_way(rows, pooling, dimension)
    _log_scores(own)
    mlflow.log_metrics(measures)
    mlflow.log_table(tabulate(rows), "layers.json")
    picture = draw_layers(own, cut.facts["layer"])
    mlflow.log_figure(picture, "layers.png")
    mlflow.log_figure(draw_front(rows, cut.facts), "front.png")
    mlflow.log_dict(lineage, "lineage.json")
    return logged_model.log(cut, card.text, picture, tags)


def _log_scores(rows: "list[Row]") -> None:
    """Log scores of the active run, each at its layer, in one request.

    A server with a login takes half a second for each request: a request a score were minutes.
    """
    import mlflow
    from mlflow.entities import Metric

    run = mlflow.active_run()
    assert run is not None
    now = round(time.time() * 1000)
    scores = [Metric(name_metric(row), row["value"], now, row["layer"]) for row in rows]
    mlflow.MlflowClient().log_batch(run.info.run_id, metrics=scores)


def name_metric(row: "Row") -> str:
    """Name the metric of a row with what MLflow takes: an endpoint may call its model anything.

    >>> name_metric({"split": "test", "origin": "human", "system": "org/e:5", "metric": "mrr@10"})
    'test_human_org_e_5_mrr_at_10'
    """
    name = f"{row['split']}_{row['origin']}_{row['system']}_{row['metric']}"
    return re.sub(r"[^\w.\- ]", "_", name.replace("@", "_at_"))


def _describe(value: Any) -> str:  # noqa: ANN401 - any configuration value
    """Put a configuration value as a parameter that MLflow takes (at most 6,000 characters)."""
    text = value if isinstance(value, str) else repr(value)
    return text[:6000]
