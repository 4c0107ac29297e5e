"""The model registry: MLflow, on SQLite below the root unless MLFLOW_TRACKING_URI is set."""

import logging
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

from .contracts import BurnishError, Checkpoint, writable

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)

CHAMPION, CANDIDATE = "champion", "candidate"
CHECKPOINT_TAG = "burnish.checkpoint"  # the model a version was made of
OPPONENT_TAG = "burnish.opponent"  # the version that was champion when it was judged
MODEL_FOLDER = "model.sentence_transformer"  # where MLflow's flavour keeps the folder it was given


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
        import mlflow
        from mlflow.exceptions import MlflowException

        self.root, self.name = root, name
        self.uri = find_address(root)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        _point_mlflow_to(self.uri)
        self.client: MlflowClient = mlflow.MlflowClient()
        try:
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

    def pull(self, version: "ModelVersion") -> Pulled:
        """Download a version and take it in as a checkpoint."""
        import mlflow

        from .adopt import adopt

        uri = f"models:/{self.name}/{version.version}"
        unfinished = self.root / "unfinished"
        with writable(self.root):
            unfinished.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=unfinished) as target:
            folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=target))
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


def _point_mlflow_to(uri: str) -> None:
    """Set the address for this process without what MLflow does beside it.

    It writes the address into the environment too, where the next root's registry would take it
    for the user's word.
    """
    import mlflow

    given = {name: os.environ.get(name) for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")}
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    for name, value in given.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def find_address(root: Path) -> str:
    """Return the address of the registry, without the password that it may have been given with.

    A password in the address would stand in every message and link that MLflow prints; MLflow
    takes it from the environment as well, so it is moved there.
    """
    given = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root / 'mlflow.db'}"
    parts = urlsplit(given)
    if parts.scheme not in {"http", "https"} or "@" not in parts.netloc:
        return given
    os.environ["MLFLOW_TRACKING_USERNAME"] = unquote(parts.username or "")
    os.environ["MLFLOW_TRACKING_PASSWORD"] = unquote(parts.password or "")
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    os.environ["MLFLOW_TRACKING_URI"] = bare
    return bare


def describe(value: Any) -> str:  # noqa: ANN401 - any configuration value
    """Put a configuration value as a parameter that MLflow takes (at most 6,000 characters)."""
    text = value if isinstance(value, str) else repr(value)
    return text[:6000]
