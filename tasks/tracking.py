"""Where MLflow keeps its runs and versions: at MLFLOW_TRACKING_URI, else below the root."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit


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
