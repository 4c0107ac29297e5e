"""Prefect's task runners for Ray and Dask, opened once per process and kept open.

To open one takes seconds, and its processes would load every model again.
"""

import atexit
import contextlib
import os
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from prefect import Flow, Task
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext, TaskRunContext
from prefect.futures import PrefectFuture
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.task_runners import TaskRunner

from .contracts import BurnishError

MODEL_CORES = 4  # of a part that uses a model: more cores speed one model up less than two models
TRIES = 6  # of a part whose process or node dies
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Engine(NamedTuple):
    """What runs the parts.

    Attributes:
        kind: `ray` or `dask`.
        address: Of a cluster that is there already; empty for one of this machine's own.
    """

    kind: Literal["ray", "dask"]
    address: str


class Nodes(NamedTuple):
    """An open task runner, and what a part asks of its nodes.

    Attributes:
        runner: The task runner.
        engine: What it is of.
        places: Parts that run at the same time.
        options: Ray's, of each part.
        api: The address by which nodes reach Prefect's server.
    """

    runner: TaskRunner[Any]
    engine: Engine
    places: int
    options: dict[str, Any]
    api: str

    @property
    def tries(self) -> int:
        """How often a part is begun if its node dies every time."""
        return TRIES

    def submit(self, run: Task[..., Any], parameters: dict[str, Any]) -> PrefectFuture[Any]:
        """Send a part on its way."""
        with temporary_settings({PREFECT_API_URL: self.api}), _travelling_light(), self._asking():
            future: PrefectFuture[Any] = self.runner.submit(run, parameters)
        return future

    def share(self, value: object) -> Any:  # noqa: ANN401 - a reference of Ray's or Dask's
        """Put a large value where each node gets it once; a part that is given it has the value."""
        if self.engine.kind == "ray":
            import ray

            return ray.put(value)
        return self.runner.client.scatter(value)  # type: ignore[attr-defined]

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        if self.engine.kind == "ray":
            from prefect_ray.context import remote_options

            with remote_options(**self.options):
                yield
        else:
            yield


def open_nodes(engine: Engine, *, uses_model: bool) -> Nodes:
    """Open an engine's task runner, or return to it, and see how many parts its nodes can do.

    Raises:
        BurnishError: the engine is not installed, its nodes cannot be reached, or could not reach
            Prefect's server.
    """
    api = _find_api(engine)
    runner = _open(engine)
    if engine.kind == "dask":
        workers = runner.client.nthreads()  # type: ignore[attr-defined]
        return Nodes(runner, engine, max(1, sum(workers.values())), {}, api)
    import ray

    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    options: dict[str, Any] = {"max_retries": TRIES - 1, "scheduling_strategy": "SPREAD"}
    gpus = int(sum(node.get("GPU", 0) for node in alive))
    if uses_model and gpus:
        # Ray would end the process after each part: the next would load its model anew.
        options |= {"num_cpus": 1, "num_gpus": 1, "max_calls": 0}
        return Nodes(runner, engine, gpus, options, api)
    cores = [int(node["CPU"]) for node in alive if node.get("CPU", 0) >= 1]
    each = min(MODEL_CORES, *cores) if uses_model and cores else 1
    places = sum(count // each for count in cores)
    return Nodes(runner, engine, max(1, places), {**options, "num_cpus": each}, api)


def is_lost(error: BaseException) -> bool:
    """Tell whether an error says that a part was lost with what it ran on."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"WorkerCrashedError", "NodeDiedError", "OutOfMemoryError", "KilledWorker"})


def _find_api(engine: Engine) -> str:
    """Return the address of Prefect's server: nodes tell it how their parts went."""
    api = str(get_client(sync_client=True).api_url)
    address = engine.address if "//" in engine.address else f"//{engine.address}"
    host = urlsplit(address).hostname
    if host and host not in LOOPBACK and urlsplit(api).hostname in LOOPBACK:
        raise BurnishError(
            f"Nodes at {engine.address} are to tell Prefect's server how their parts went, but it "
            f"is at {api}, which only this machine can reach. Start one that they can reach "
            "(`burnish up --host …`) and set PREFECT_API_URL to it."
        )
    return api


def _nothing() -> None:
    """Be the function of the flow that nodes are told of."""


@contextlib.contextmanager
def _travelling_light() -> Iterator[None]:
    """Send no flow, no stage, and none of their arguments along with a part.

    Prefect pickles them for every part, functions and all they hold included, to tell a node which
    run a part belongs to. The number of the run is enough, and can always be pickled.
    """
    with contextlib.ExitStack() as stack:
        flow_run, stage_run = FlowRunContext.get(), TaskRunContext.get()
        for run, bare in (
            (flow_run, {"flow": Flow(_nothing, name="nodes")}),
            (stage_run, {"task": Task(_nothing)}),
        ):
            if run is not None:
                light: Any = run.model_copy(update={**bare, "parameters": {}})
                light._token = None  # the copy is not entered yet
                stack.enter_context(light)
        yield


@cache
def _open(engine: Engine) -> TaskRunner[Any]:
    try:
        runner = _make_ray(engine) if engine.kind == "ray" else _make_dask(engine)
    except ModuleNotFoundError as error:
        raise BurnishError(
            f"The engine {engine.kind} is not installed ({error}). "
            f"Run pip install 'burnish[{engine.kind}]', or leave BURNISH_ENGINE unset."
        ) from error
    try:
        _OPENED.enter_context(runner)
        if engine.kind == "dask":
            _ = runner.client  # type: ignore[attr-defined] # connects when first asked for
    except (ConnectionError, OSError, ValueError, RuntimeError) as error:
        raise BurnishError(
            f"The {engine.kind} cluster at {engine.address or 'this machine'} cannot be reached "
            f"({type(error).__name__}: {error}). See whether it runs, and whether it has the same "
            "versions of Python and of the engine."
        ) from error
    return runner


_OPENED = contextlib.ExitStack()


@atexit.register
def close_nodes() -> None:
    """Close all task runners; what is asked of an engine next opens one anew."""
    _OPENED.close()
    _open.cache_clear()


def _make_ray(engine: Engine) -> TaskRunner[Any]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # tell nobody what is run here
    import ray  # noqa: F401 - prefect_ray imports it when it is too late to say what is missing
    from prefect_ray import RayTaskRunner

    settings: dict[str, Any] = {"configure_logging": False}
    if not engine.address:
        settings |= {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    runner: TaskRunner[Any] = RayTaskRunner(address=engine.address or None, init_kwargs=settings)
    return runner


def _make_dask(engine: Engine) -> TaskRunner[Any]:
    from prefect_dask import DaskTaskRunner

    settings: dict[str, Any] = {"address": engine.address}
    if not engine.address:
        # One thread each: a model's own threads are what the environment says, by default one.
        workers = {"n_workers": os.cpu_count(), "threads_per_worker": 1, "dashboard_address": None}
        settings = {"cluster_kwargs": workers}
    runner: TaskRunner[Any] = DaskTaskRunner(**settings)
    return runner
