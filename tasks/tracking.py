"""Where MLflow keeps its runs and versions: at MLFLOW_TRACKING_URI, else below the root."""

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit


def find_address(root: Path) -> str:
    """Return the address of the registry, a server's without the password that it was given with.

    A password in the address would stand in every message and link that MLflow prints; MLflow
    takes a server's from the environment as well, so it is moved there. A database's it takes from
    the address alone: see `hide_password`.
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


def hide_password(uri: str) -> str:
    """Return an address as it may be shown and written down.

    >>> hide_password("postgresql://me:secret@host/db")
    'postgresql://me@host/db'
    """
    uri = re.sub(r"(://[^:/@]*):.*@", r"\1@", uri)
    return re.sub(r"(?i)([?&]\w*(?:pass|pwd|secret|token|odbc)\w*=)[^&#]*", r"\1...", uri)


def point_mlflow_to(uri: str) -> None:
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


def find_artifacts_without_server(root: Path) -> None:
    """Have this process find below the root what a server over it has stored there.

    Such artifacts have addresses of the server (`mlflow-artifacts:/...`), which MLflow itself finds
    with the server alone; whoever asks the database directly would not get them.
    """
    from mlflow.store.artifact.artifact_repository_registry import _artifact_repository_registry
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
    from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository

    def open_store(
        uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
    ) -> Any:  # noqa: ANN401 - MLflow has no type for it
        import mlflow

        if not (tracking_uri or mlflow.get_tracking_uri()).startswith("sqlite:"):
            return MlflowArtifactsRepository(uri, tracking_uri, registry_uri)
        place = root / "mlartifacts" / unquote(urlsplit(uri).path).lstrip("/")
        return LocalArtifactRepository(place.as_uri())

    _artifact_repository_registry.register("mlflow-artifacts", open_store)
