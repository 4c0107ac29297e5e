"""Where MLflow's server keeps what it knows: where a run without a server has kept it."""

import contextlib
import sqlite3
from pathlib import Path


def store_mlflow(root: Path) -> dict[str, str]:
    """Return where MLflow keeps what it knows: where a run without a server keeps it too."""
    return {
        "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{root / 'mlflow.db'}",
        "MLFLOW_ARTIFACTS_DESTINATION": (root / "mlartifacts").as_uri(),
    }


def hand_over_experiments(root: Path, store: str) -> None:
    """Have MLflow's server store what is added to the experiments of runs without a server.

    They name a folder of this machine, which clients elsewhere do not have. What is in there stays
    as it is, and is found by those who are here. MLflow has no call for it.

    Args:
        root: Folder of all that is made.
        store: Address of the database that the server will use; empty if none starts here.
    """
    if store != store_mlflow(root)["MLFLOW_BACKEND_STORE_URI"] or not (root / "mlflow.db").exists():
        return
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as database, database:
        database.execute(
            "UPDATE experiments SET artifact_location = 'mlflow-artifacts:/' || experiment_id "
            "WHERE artifact_location = ?",
            ((root / "mlartifacts").as_uri(),),
        )
