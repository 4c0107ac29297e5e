"""The page is where people look: with the flow run, and in the registry."""

from pathlib import Path

import pytest
from prefect import flow
from prefect.client.orchestration import get_client

from flows.page import KEY, attach_page, show_page
from tasks.draw import draw
from tasks.registry import Registry
from tests.page.conftest import build_dataset


def test_the_page_is_with_the_flow_run_and_in_the_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    page = draw.fn(*build_dataset(tmp_path / "root"))

    @flow(persist_result=False)
    def shows() -> None:
        show_page(page)

    shows()
    with get_client(sync_client=True) as client:
        found = client.request("POST", "/artifacts/latest/filter", json={}).json()
    assert [each["data"] for each in found if each["key"] == KEY] == [page.markdown]

    registry = Registry(page.root, "burnish")
    run_id = registry.client.create_run(registry.experiment_id).info.run_id
    for _ in range(2):  # a run that is repeated puts it there again
        attach_page(page, registry, run_id)
    assert [each.path for each in registry.client.list_artifacts(run_id)] == ["dataset.html"]
    pulled = registry.client.download_artifacts(run_id, "dataset.html", str(tmp_path))
    assert Path(pulled).read_bytes() == page.html.read_bytes()
