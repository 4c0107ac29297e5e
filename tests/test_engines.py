"""Work on engines: in order, as here, done again where a node dies, refused where wrong."""

import logging
import os
import time
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from prefect import flow
from prefect.testing.utilities import prefect_test_harness

from tasks import embed as embed_module
from tasks.contracts import BurnishError, Checkpoint
from tasks.embed import embed
from tasks.embed_part import LIBRARIES, embed_part
from tasks.engines import VARIABLE, find_engine, read_engine, spread
from tasks.generators import Made
from tasks.generators import local as local_module
from tasks.generators.local import Local, LocalConfig
from tasks.packed import at_hand, pack
from tasks.runners import Engine, close_nodes
from tests.generators.test_local import EXAMPLES, PASSAGES, make_model, make_tokenizer
from tests.ray_nodes import RayNodes


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=240):
        yield


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, server: None) -> Iterator[RayNodes]:
    if not all(map(find_spec, ("ray", "prefect_ray"))):
        pytest.skip("needs the extra ray")
    found = RayNodes(tmp_path_factory.mktemp("r"), gpus=1)
    yield found
    close_nodes()
    found.stop()


def square(number: int, folder: str, packed: object) -> tuple[int, str | None]:
    """Tell a part's square and threads; leave a trace of having begun."""
    (Path(folder) / f"{number}-{os.getpid()}").touch()
    time.sleep(0.3)
    return number**2, os.environ.get("OMP_NUM_THREADS")


@pytest.mark.parametrize(
    "name", ["dusk", "ray://head", "ray:tcp://head:1", "dask:head:8786", "dask:", "ray:"]
)
def test_a_setting_that_is_none_is_refused_with_what_is_allowed(name: str) -> None:
    with pytest.raises(BurnishError, match="ray://HOST:10001"):
        read_engine(name)


def test_work_stays_here_by_default_and_outside_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_engine("") is read_engine("here") is None
    monkeypatch.setenv(VARIABLE, "dask:tcp://head:8786")
    assert find_engine() is None
    assert read_engine("dask:tcp://head:8786") == Engine("dask", "tcp://head:8786")


def test_nodes_that_cannot_reach_prefect_are_refused(server: None) -> None:
    parts = spread(Engine("ray", "10.9.8.7:6379"), square, [], what="squares", libraries=())
    with pytest.raises(BurnishError, match="PREFECT_API_URL"):
        list(parts)


def test_a_checkpoint_travels_where_it_cannot_be_seen(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    packed = pack(checkpoint.path)
    away = tmp_path / checkpoint.fingerprint
    found = embed_part(
        away, checkpoint.fingerprint, ["gold"], "document", [3], ["mean"], None, packed
    )
    assert found.shape[:3] == (1, 1, 1)
    with pytest.raises(BurnishError, match="whole"), at_hand(away, "another", packed):
        pass


def test_embeds_on_two_nodes_bit_for_bit_as_here(
    nodes: RayNodes,
    checkpoint: Checkpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(embed_module, "PART_TEXTS", 4)
    texts = [
        f"the {word} keeps {other}" for word in ("cat", "wolf", "bear") for other in "abcdefgh"
    ]

    @flow
    def make(root: Path) -> np.ndarray:
        elsewhere = checkpoint.model_copy(update={"path": root / "checkpoint" / "base"})
        elsewhere.path.parent.mkdir(parents=True)
        elsewhere.path.symlink_to(checkpoint.path)
        return np.array(embed(root, elsewhere, texts, "document", [1, 3]))

    here = make(tmp_path / "here")
    monkeypatch.setenv(VARIABLE, f"ray:{nodes.address}")
    with caplog.at_level(logging.INFO, "tasks.engines"):
        there = make(tmp_path / "there")
    assert np.array_equal(here, there)
    assert "parts by node of ray" in caplog.text


def test_writes_on_two_nodes_what_is_written_here(
    nodes: RayNodes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tokenizer, folder = make_tokenizer(), tmp_path / "model"
    make_model(len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    monkeypatch.setattr(local_module, "PART_PASSAGES", 2)
    monkeypatch.setattr(local_module, "PART_ROUNDS", 1)
    config = LocalConfig(
        model=str(folder), max_query_tokens=8, queries_at_once=6, temperature=1, device="cpu"
    )

    def pack_and_hide(place: Path, files: Iterable[Path]) -> np.ndarray:
        packed = pack(place, files)
        folder.rename(tmp_path / "hidden")  # as if nodes were other machines
        return packed

    monkeypatch.setattr(local_module, "pack", pack_and_hide)

    @flow
    def make(root: Path) -> list[Made]:
        return list(Local(config, root, 3, EXAMPLES).generate(PASSAGES, lambda count: None))

    here = make(tmp_path / "here")
    monkeypatch.setenv(VARIABLE, f"ray:{nodes.address}")
    with caplog.at_level(logging.INFO, "tasks.engines"):
        assert make(tmp_path / "there") == here
    assert "writing: parts by node of ray" in caplog.text
    assert not folder.exists()


def test_a_process_with_a_gpu_does_many_parts(
    nodes: RayNodes, tmp_path: Path, server: None
) -> None:
    @flow
    def work() -> list[tuple[int, str | None]]:
        parts = ((number, str(tmp_path)) for number in range(6))
        engine = Engine("ray", nodes.address)
        return list(spread(engine, square, parts, what="squares", libraries=(), uses_model=True))

    assert [value for value, _ in work()] == [0, 1, 4, 9, 16, 25]
    # a new process for each part would load its model, and start CUDA, each time
    assert len({path.name.partition("-")[2] for path in tmp_path.iterdir()}) <= 2


def test_a_node_that_dies_costs_nothing_but_time(
    nodes: RayNodes, tmp_path: Path, server: None
) -> None:
    @flow
    def work() -> list[tuple[int, str | None]]:
        parts = ((number, str(tmp_path)) for number in range(8))
        found = []
        engine = Engine("ray", nodes.address)
        for result in spread(engine, square, parts, what="squares", libraries=LIBRARIES):
            if not found:
                nodes.kill(1)
            found.append(result)
        return found

    assert work() == [(number**2, "1") for number in range(8)]
    assert {path.name.partition("-")[0] for path in tmp_path.iterdir()} == set("01234567")


def test_dask_gives_results_in_order(
    server: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("prefect_dask")
    # The worker is to find this module too, however pytest was started.
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        engine = Engine("dask", cluster.scheduler_address)

        @flow
        def work() -> list[tuple[int, str | None]]:
            parts = ((number, str(tmp_path)) for number in range(5))
            return list(
                spread(engine, square, parts, what="squares", libraries=(), shared=lambda: b"big")
            )

        assert [value for value, _ in work()] == [0, 1, 4, 9, 16]
        close_nodes()
