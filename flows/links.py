"""Links between a flow run, its run in MLflow, and the model version: from each to the others."""

import logging
import os
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from tasks.tracking import hide_password

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tasks.registry import Registry

logger = logging.getLogger(__name__)

FLOW_RUN_TAG = "burnish.flow_run"  # on MLflow's run and version: the id
FLOW_RUN_PAGE_TAG = "burnish.flow_run_url"  # and the page, where there is a UI


class Links(NamedTuple):
    """Addresses of pages; empty where there is none."""

    flow_run: str
    run: str
    version: str
    command: str
    """What shows both in MLflow where no server does."""


def find_links(registry: "Registry", facts: "Mapping[str, Any]") -> Links:
    """Return the pages of this flow run, and of the run and the version it registered.

    MLflow has pages where its address is a server's. Browsers may know the server by another name
    than workers: MLFLOW_UI_URL is theirs, as PREFECT_UI_URL is for Prefect.

    Args:
        registry: Where the version is.
        facts: Of the registration.
    """
    _, page = find_flow_run()
    server = hide_password(os.environ.get("MLFLOW_UI_URL") or registry.shown).rstrip("/")
    if not server.startswith(("http://", "https://")):
        return Links(page, "", "", f"mlflow ui --backend-store-uri {registry.shown}")
    experiment = registry.client.get_run(facts["run_id"]).info.experiment_id
    run = f"{server}/#/experiments/{experiment}/runs/{facts['run_id']}"
    version = f"{server}/#/models/{quote(facts['name'], safe='')}/versions/{facts['version']}"
    return Links(page, run, version, "")


def find_flow_run() -> tuple[str, str]:
    """Return the id of the flow run in which this is called and its page; empty if there is none.

    Without a server there is a run, but no page.
    """
    from prefect.runtime import flow_run
    from prefect.utilities.urls import url_for

    if flow_run.id is None:
        return "", ""
    return str(flow_run.id), hide_password(url_for("flow-run", obj_id=str(flow_run.id)) or "")


def tag_flow_run(registry: "Registry", facts: "Mapping[str, Any]") -> None:
    """Write on MLflow's run and on the version which flow run made them: the first that tells.

    A run that finds the version made already leaves the tags of the one that made it.
    """
    from mlflow.exceptions import MlflowException

    identifier, page = find_flow_run()
    if not identifier:
        return
    client, name, version, run = registry.client, facts["name"], facts["version"], facts["run_id"]
    try:
        on_run = client.get_run(run).data.tags
        on_version = client.get_model_version(name, version).tags
        for tag, value in ((FLOW_RUN_TAG, identifier), (FLOW_RUN_PAGE_TAG, page)):
            if value and on_run.get(FLOW_RUN_TAG, identifier) == identifier:
                client.set_tag(run, tag, value)
            if value and on_version.get(FLOW_RUN_TAG, identifier) == identifier:
                client.set_model_version_tag(name, version, tag, value)
    except MlflowException as error:
        logger.warning("the version does not link to its flow run: %s", hide_password(str(error)))


def tell_links(links: Links, facts: "Mapping[str, Any]") -> str:
    """Tell where run and version are to be seen, in Markdown."""
    name = f"version {facts['version']} of {facts['name']}"
    if links.command:
        return (
            f"The run `{facts['run_id']}` and {name} in MLflow, once this runs:\n\n"
            f"```\n{links.command}\n```"
        )
    return f"In MLflow: [the run]({links.run}), [{name}]({links.version})."
