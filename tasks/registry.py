"""The model registry: MLflow, on SQLite below the root unless MLFLOW_TRACKING_URI is set."""

import contextlib
import json
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from .contracts import BurnishError, Checkpoint, fingerprint_folder, writable
from .locks import hold
from .tracking import (
    find_address,
    find_artifacts_without_server,
    hide_password,
    point_mlflow_to,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)

CHAMPION, CANDIDATE, PREVIOUS = "champion", "candidate", "previous"
CHECKPOINT_TAG = "burnish.checkpoint"  # the model a version was made of
OPPONENT_TAG = "burnish.opponent"  # the version that was champion when it was judged
PROOF_TAG = "burnish.proof"  # what a new process found it to be; written after it agreed
MODEL_FOLDER = "model.sentence_transformer"  # where MLflow's flavour keeps a model's own files


class Pulled(NamedTuple):
    """A model version that was downloaded: its number and its checkpoint."""

    version: str
    checkpoint: Checkpoint


class Registry:
    """One registered model and its experiment, which is made when it is first asked for."""

    def __init__(self, root: Path, name: str) -> None:
        """Connect to the registry in use.

        Raises:
            BurnishError: the registry does not answer, or the experiment `name` was deleted.
        """
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        import mlflow

        self.root, self.name = root, name
        self.uri = find_address(root)
        self.shown = hide_password(self.uri)  # in all that is told or written down
        logging.getLogger("alembic").setLevel(logging.WARNING)
        point_mlflow_to(self.uri)
        find_artifacts_without_server(root)
        with self.answering(), self.locked():  # two that make one SQLite file break each other's
            self.client: MlflowClient = mlflow.MlflowClient()
            found = self.client.get_experiment_by_name(name)
        if found is not None and found.lifecycle_stage != "active":
            raise BurnishError(
                f"The experiment {name} was deleted in the registry at {self.shown}. Restore it "
                "there, or choose another --registry.name."
            )

    def find(self, alias: str) -> "ModelVersion | None":
        """Return the version an alias points to, if any."""
        from mlflow.exceptions import MlflowException

        try:
            return self.client.get_model_version_by_alias(self.name, alias)
        except MlflowException as error:
            if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                return None
            raise

    def find_number(self, alias: str) -> str:
        """Return the number of the version an alias points to; empty if it points to none."""
        version = self.find(alias)
        return str(version.version) if version else ""

    def find_checkpoint(self, fingerprint: str) -> "ModelVersion | None":
        """Return the version that was made from this checkpoint, if any."""
        where = f"name = '{self.name}' and tags.`{CHECKPOINT_TAG}` = '{fingerprint}'"
        versions = self.client.search_model_versions(where)
        return min(versions, key=lambda version: int(version.version), default=None)

    def find_opponent(self, fingerprint: str) -> "ModelVersion | None":
        """Return the version that a model has to beat: the champion.

        If the model is the champion already, because its run is repeated, it is the one that it
        beat then: the same comparison, and not a new one with itself.
        """
        champion = self.find(CHAMPION)
        if champion is None or champion.tags.get(CHECKPOINT_TAG) != fingerprint:
            return champion
        number = champion.tags.get(OPPONENT_TAG)  # of a version that may be deleted by now
        return next((one for one in self.list_versions() if str(one.version) == number), None)

    def list_versions(self) -> "list[ModelVersion]":
        """Return all versions, the first first."""
        versions = self.client.search_model_versions(f"name = '{self.name}'")
        return sorted(versions, key=lambda version: int(version.version))

    def locked(
        self, what: Literal["aliases", "upload"] = "aliases"
    ) -> AbstractContextManager[None]:
        """Keep other processes from moving aliases, or from uploading, until they may again.

        MLflow has no compare-and-set: what is read to decide has to hold until it is written. An
        upload has a lock of its own, so that nobody who rolls back has to wait for one.
        """
        return hold(self.root, self.shown, what)

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """Turn what MLflow raises where the registry is down or refuses into one clear line."""
        from mlflow.exceptions import MlflowException

        try:
            yield
        except (MlflowException, OSError) as error:
            code = getattr(error, "error_code", "")
            if code in {"PERMISSION_DENIED", "UNAUTHENTICATED"}:
                advice = "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD to one who may."
            else:
                advice = "Start it, or correct or unset MLFLOW_TRACKING_URI."
            told = str(error).replace(self.uri, self.shown)
            raise BurnishError(
                f"The registry at {self.shown} does not answer as it should: {told}. {advice}"
            ) from None

    @contextlib.contextmanager
    def download(self, version: "ModelVersion") -> Iterator[Path]:
        """Download a version, for as long as it is looked at; give its folder.

        Raises:
            BurnishError: its files are not the ones that were proven.
        """
        import mlflow

        uri = f"models:/{self.name}/{version.version}"
        unfinished = self.root / "unfinished"
        with writable(self.root):
            unfinished.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=unfinished) as target:
            with self.answering():
                folder = Path(
                    mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=target)
                )
            proven = read_proof(version).get("checkpoint")
            if proven and fingerprint_folder(folder / MODEL_FOLDER) != proven:
                raise BurnishError(
                    f"Version {version.version} of {self.name} holds other files than were proven: "
                    f"they were changed in the registry since. Delete the version, and if it is "
                    "the champion, `burnish rollback` or `burnish promote` another."
                )
            yield folder

    def pull(self, version: "ModelVersion") -> Pulled:
        """Download a version and take it in as a checkpoint."""
        from .adopt import adopt

        with self.download(version) as folder:
            uri = f"models:/{self.name}/{version.version}"
            checkpoint = adopt(str(folder / MODEL_FOLDER), self.root, label=uri)
        return Pulled(str(version.version), checkpoint)

    def end_stale_runs(self, fingerprint: str) -> None:
        """End the runs that a killed process left running over the same checkpoint."""
        where = f"attributes.status = 'RUNNING' and tags.`{CHECKPOINT_TAG}` = '{fingerprint}'"
        for run in self.client.search_runs([self.experiment_id], where):
            self.client.set_terminated(run.info.run_id, "KILLED")

    @property
    def experiment_id(self) -> str:
        """The experiment of the registered model's name, made if it is not there."""
        with self.locked():
            found = self.client.get_experiment_by_name(self.name)
            if found is not None:
                return str(found.experiment_id)
            # MLflow's own default is ./mlruns of whatever the current directory is
            is_file = self.uri.startswith("sqlite:")
            place = (self.root / "mlartifacts").as_uri() if is_file else None
            return str(self.client.create_experiment(self.name, artifact_location=place))


def read_proof(version: "ModelVersion") -> dict[str, Any]:
    """Return what a new process found the version to be; empty if it was never proven."""
    proof: dict[str, Any] = json.loads(version.tags.get(PROOF_TAG, "{}"))
    # a tag that was copied from another version proves nothing of this one
    return proof if proof.get("checkpoint") == version.tags.get(CHECKPOINT_TAG) else {}
