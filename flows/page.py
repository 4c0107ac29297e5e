"""The dataset's page, where people look: Prefect's flow run, and the run in the registry."""

import logging
from typing import TYPE_CHECKING

from flows.artifacts import show_markdown
from tasks.draw import Page

if TYPE_CHECKING:
    from tasks.registry import Registry

logger = logging.getLogger(__name__)

KEY = "dataset"  # of the artifact: the pages of all runs are one history


def show_page(page: Page) -> None:
    """Show the page with the flow run, while the model is still being trained."""
    show_markdown(KEY, page.markdown, "The dataset of this run")
    logger.info("the dataset to look at: %s", page.html)


def attach_page(page: Page, registry: "Registry", run_id: str) -> None:
    """Put the page beside the model version's scores; the same page again replaces itself."""
    registry.client.log_artifact(run_id, str(page.html))
