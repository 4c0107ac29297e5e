"""The model registry: MLflow, on SQLite below the root unless MLFLOW_TRACKING_URI is set."""

import contextlib
import json
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .contracts import BurnishError, Checkpoint, fingerprint_folder, writable
from .tracking import find_address, point_mlflow_to

if TYPE_CHECKING:
    from filelock import FileLock
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)

CHAMPION, CANDIDATE, PREVIOUS = "champion", "candidate", "previous"
CHECKPOINT_TAG = "burnish.checkpoint"  # the model a version was made of
OPPONENT_TAG = "burnish.opponent"  # the version that was champion when it was judged
PROOF_TAG = "burnish.proof"  # what a new process found it to be; written after it agreed
MODEL_FOLDER = "model.sentence_transformer"  # where MLflow's flavour keeps a model's own files
LOCK_SECONDS = 3600  # an upload that takes longer hangs


class Pulled(NamedTuple):
    """A model version that was downloaded: its number and its checkpoint."""

    version: str
    checkpoint: Checkpoint


class Registry:
    """One registered model and its experiment."""

    def __init__(self, root: Path, name: str) -> None:
        """Connect to the registry in use and make the experiment `name` if it is not there.

        Raises:
            BurnishError: the registry does not answer.
        """
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        import mlflow
        from mlflow.exceptions import MlflowException

        self.root, self.name = root, name
        self.uri = find_address(root)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        point_mlflow_to(self.uri)
        self._lock = _make_lock(root)
        try:
            with self.locked():  # two processes that make one SQLite file break each other's
                self.client: MlflowClient = mlflow.MlflowClient()
                found = self.client.get_experiment_by_name(name)
                self.experiment_id = found.experiment_id if found else self._create_experiment()
        except (MlflowException, OSError) as error:
            raise BurnishError(
                f"The registry at {self.uri} does not answer: {error}. "
                "Start it, or correct or unset MLFLOW_TRACKING_URI."
            ) from None
        if found is not None and found.lifecycle_stage != "active":
            raise BurnishError(
                f"The experiment {name} was deleted in the registry at {self.uri}. Restore it "
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
        number = champion.tags.get(OPPONENT_TAG)
        return self.client.get_model_version(self.name, number) if number else None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes of this root from changing the registry, until they may again.

        MLflow has no compare-and-set: what is read to decide has to hold until it is written. A
        killed process lets go of the lock.
        """
        from filelock import Timeout

        try:
            with writable(self.root), self._lock:
                yield
        except Timeout as error:
            raise BurnishError(
                f"Another process has been changing the registry of {self.root} for "
                f"{LOCK_SECONDS / 60:.0f} minutes. End it if it hangs, and run again."
            ) from error

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
            folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=target))
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

    def _create_experiment(self) -> str:
        if self.uri.startswith("sqlite:"):
            # MLflow's own default is ./mlruns of whatever the current directory is
            return str(
                self.client.create_experiment(
                    self.name, artifact_location=(self.root / "mlartifacts").as_uri()
                )
            )
        return str(self.client.create_experiment(self.name))


def read_proof(version: "ModelVersion") -> dict[str, Any]:
    """Return what a new process found the version to be; empty if it was never proven."""
    proof: dict[str, Any] = json.loads(version.tags.get(PROOF_TAG, "{}"))
    # a tag that was copied from another version proves nothing of this one
    return proof if proof.get("checkpoint") == version.tags.get(CHECKPOINT_TAG) else {}


def _make_lock(root: Path) -> "FileLock":
    from filelock import FileLock

    with writable(root):
        root.mkdir(parents=True, exist_ok=True)
    return FileLock(root / "registry.lock", timeout=LOCK_SECONDS)
