"""Image, compose file, and Kubernetes: what they name is there, and agrees with the code."""

import ast
import asyncio
import importlib.util
import json
import os
import re
import shlex
import subprocess
import tomllib
import uuid
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import mlflow.environment_variables
import pytest
import yaml
from jsonschema import Draft202012Validator
from packaging.specifiers import SpecifierSet
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import Settings
from prefect.types.entrypoint import EntrypointType

from deployments.guard import MARK
from deployments.register import POOL_LIMITS
from deployments.services import (
    MLFLOW_ONLY,
    Place,
    describe_habits,
    serve_mlflow,
    serve_prefect,
    work,
)
from deployments.worker import RUN_SECONDS, WORKER_SECONDS
from flows.command import parse
from flows.ingest import ingest

ROOT = Path(__file__).parents[2]
HERE = ROOT / "deployments"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
COMPOSE = yaml.safe_load((HERE / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: told for name, told in SERVICES.items() if "burnish" in told["image"]}
DOCKERFILE = (HERE / "Dockerfile").read_text()
ORDERS = dict(re.findall(r"^([A-Z]+) (.*)$", DOCKERFILE.replace("\\\n", ""), re.MULTILINE))
TEMPLATES = {pool: json.loads((HERE / "kubernetes" / f"{pool}.json").read_text())
             for pool in POOL_LIMITS}  # fmt: skip
MANIFESTS = list(yaml.safe_load_all((HERE / "kubernetes" / "worker.yaml").read_text()))
PLACE = Place(Path("/data"), Path("/data"), "0.0.0.0", 4200, 5001)
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|AUTH_STRING$|API_KEY")
NOT_OURS = re.compile(r"(AWS|POSTGRES|OPENAI|HF)_\w+|PGPASSWORD")
CHANGES = {"memory": "1Gi", "env": {"A": "b"}, "service_account_name": "ann", "image": "other"}

pools = pytest.mark.parametrize("pool", POOL_LIMITS)


def split(command: str | list[str]) -> list[str]:
    """Return the words of a command, with all that depends on what is set."""
    if isinstance(command, str):
        return shlex.split(re.sub(r"\$\{\w+:\+([^}]*)\}", r"\1", command))
    return command


def environment(name: str) -> dict[str, str]:
    """Return what a service is told, with a value for what the user sets."""
    told = SERVICES[name]["environment"]
    return {key: fill(str(value)) for key, value in told.items() if value is not None}


def fill(value: str) -> str:
    return re.sub(r"\$\{\w+(?::-([^}]*)|[^}]*)\}", lambda found: found[1] or "word", value)


def find_placeholders(value: object) -> set[str]:
    return set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(value)))


# The image


def test_the_image_has_a_python_and_the_extras_that_the_project_knows() -> None:
    arguments = dict(re.findall(r"^ARG (\w+)=(.*)$", DOCKERFILE, re.MULTILINE))
    version = re.fullmatch(r"python:([\d.]+)-slim", arguments["BASE"])
    assert version is not None and version[1] in SpecifierSet(PROJECT["requires-python"])
    told = [arguments["EXTRAS"], SERVICES["worker-gpu"]["build"]["args"]["EXTRAS"]]
    cpu, gpu = (set(extras.split(",")) for extras in told)
    assert cpu | gpu <= PROJECT["optional-dependencies"].keys()
    assert cpu - gpu == {"cpu"} and gpu - cpu == {"gpu"}  # both own the package faiss


def test_programs_in_the_image_behave_as_under_up() -> None:
    told = dict(word.split("=", 1) for word in shlex.split(ORDERS["ENV"]))
    habits = describe_habits(PLACE._replace(host="127.0.0.1"), has_far_database=False)
    assert habits.items() <= told.items()
    far = describe_habits(PLACE._replace(host="127.0.0.1"), has_far_database=True)
    assert far.items() <= {**told, **SERVICES["prefect"]["environment"]}.items()
    code = ast.walk(ast.parse((ROOT / "flows" / "__init__.py").read_text()))
    every = [node for node in code if isinstance(node, ast.Call)]
    calls = [call for call in every if ast.unparse(call.func) == "os.environ.setdefault"]
    defaults = [tuple(ast.literal_eval(one) for one in call.args) for call in calls]
    assert len(defaults) > 5 and set(defaults) <= told.items()
    assert told["HOME"] == ORDERS["WORKDIR"] == ORDERS["VOLUME"] == "/data"
    pages = told["PREFECT_SERVER_UI_STATIC_DIRECTORY"]
    assert pages.startswith("/data/")  # beside Prefect's code its user may not write, and sees none
    assert ORDERS["USER"].isdigit() and ORDERS["USER"] != "0"


def test_the_image_holds_every_package_and_no_file_that_is_not_named() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    first, *named = [line for line in lines if not line.startswith("#")]
    let_in = {line[1:] for line in named if line.startswith("!")}
    assert first == "*"  # so .git, .burnish, and .env stay out
    assert let_in == set(re.findall(r"^COPY (\S+) \S+$", DOCKERFILE, re.MULTILINE))
    assert {"flows", "tasks", "deployments"} < let_in
    assert "**/.env*" in named[len(let_in) :]


@pytest.mark.parametrize(
    ("given", "run"),
    [
        ("retrain --help", "burnish retrain --help"),
        ("watch", "burnish watch"),  # although Debian has a program of that name
        ("prefect worker start", "prefect worker start"),
        ("python -m deployments.worker cpu", "python -m deployments.worker cpu"),
        ("'two words'", "burnish 'two words'"),
    ],
)
def test_the_image_runs_commands_and_programs(given: str, run: str, tmp_path: Path) -> None:
    for name in ("burnish", "prefect", "python", "watch"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\nprintf "%s\\n" {name} "$@"\n')
        program.chmod(0o755)
    tini, separator, *command = json.loads(ORDERS["ENTRYPOINT"])
    assert (tini, separator) == ("tini", "--")
    told = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command += shlex.split(given)
    said = subprocess.run(command, env=told, capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == shlex.split(run)


# The compose file


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_there(name: str) -> None:
    program, *rest = split(OURS[name]["command"])
    if program == "python":
        assert rest[0] == "-m" and importlib.util.find_spec(rest[1]) is not None
    elif not entry_points(group="console_scripts", name=program):
        parse([program, *rest])


def test_each_image_is_built_once() -> None:
    built = [told["image"] for told in OURS.values() if "build" in told]
    assert sorted(built) == sorted({told["image"] for told in OURS.values()})
    assert all(told["pull_policy"] == "never" for told in OURS.values())


def test_servers_and_workers_are_started_as_up_does() -> None:
    def shorten(command: tuple[str, ...]) -> list[str]:
        return [word for word in command[1:] if word != "-m"]

    assert SERVICES["prefect"]["command"] == shorten(serve_prefect(PLACE, "").command)
    assert SERVICES["mlflow"]["command"] == shorten(serve_mlflow(PLACE, "", has_login=True).command)
    workers = [told for told in OURS.values() if "deployments.worker" in told["command"]]
    assert [told["command"][3] for told in workers] == list(POOL_LIMITS)
    for told in workers:
        assert told["command"][1:] == list(work(told["command"][3]).command[1:])
        assert told["environment"][MARK]
        assert int(told["stop_grace_period"].removesuffix("s")) >= RUN_SECONDS + WORKER_SECONDS
    assert SERVICES["worker-gpu"]["profiles"] == ["gpu"]


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_known(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = environment(name)
    for variable in list(os.environ):
        if variable.startswith("PREFECT_"):
            monkeypatch.delenv(variable)
    for variable, value in told.items():
        monkeypatch.setenv(variable, value)
    known = Settings().to_environment_variables(exclude_unset=True, include_secrets=True)
    code = "".join(file.read_text() for part in ("flows", "tasks", "deployments")
                   for file in (ROOT / part).rglob("*.py"))  # fmt: skip
    for variable in SERVICES[name]["environment"]:
        if variable.startswith("PREFECT_"):
            assert variable in known
        elif variable.startswith("MLFLOW_"):
            known_here = variable in MLFLOW_ONLY or variable in code
            assert known_here or hasattr(mlflow.environment_variables, variable)
        else:
            assert NOT_OURS.fullmatch(variable) or f'"{variable}"' in code, variable


def test_no_secret_is_written_down() -> None:
    found = 0
    for told in SERVICES.values():
        for name, value in told.get("environment", {}).items():
            if SECRET.search(name):
                found += 1
                assert value is None or re.fullmatch(r"(\$\{[^}]*\}:?)+", value), name
    assert found > 10
    for name in ("PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"):
        login = SERVICES["prefect"]["environment"][name]
        assert re.fullmatch(
            r"\$\{\w+:\?[^}]+\}:\$\{\w+:\?[^}]+\}", login
        )  # it does not start without


def test_nobody_else_is_let_in() -> None:
    ports = {name: told["ports"] for name, told in SERVICES.items() if "ports" in told}
    assert ports == {"prefect": ["127.0.0.1:4200:4200"], "mlflow": ["127.0.0.1:5001:5001"]}
    prefect, told = environment("prefect"), environment("mlflow")
    assert told["MLFLOW_BACKEND_STORE_URI"] == "postgresql://mlflow@mlflow-database/mlflow"
    assert prefect["PREFECT_SERVER_DATABASE_HOST"] == "prefect-database"  # not the same
    assert "mlflow:*" in told["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    assert environment("worker")["MLFLOW_TRACKING_URI"] == "http://mlflow:5001"


def test_what_others_wait_for_can_be_seen() -> None:
    for told in SERVICES.values():
        for name, how in told.get("depends_on", {}).items():
            is_watched = "healthcheck" in SERVICES[name]
            assert is_watched == (how["condition"] == "service_healthy"), name
            assert is_watched or SERVICES[name]["restart"] == "no"


# Kubernetes


@pools
def test_a_pool_declares_what_its_jobs_take(pool: str) -> None:
    template = TEMPLATES[pool]
    schema = template["variables"]
    Draft202012Validator.check_schema(schema)
    assert find_placeholders(template["job_configuration"]) == schema["properties"].keys()
    properties = schema["properties"].items()
    defaults = {name: one["default"] for name, one in properties if "default" in one}
    assert not list(Draft202012Validator(schema).iter_errors(defaults))
    assert all(len(one["description"]) > 10 for one in schema["properties"].values())


@pools
def test_runs_are_let_do_no_more_than_the_image_needs(pool: str) -> None:
    job = TEMPLATES[pool]["job_configuration"]["job_manifest"]["spec"]
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    assert job["backoffLimit"] == 0  # a run that is gone is Prefect's to begin again
    properties = TEMPLATES[pool]["variables"]["properties"]
    assert properties["grace_seconds"]["default"] >= RUN_SECONDS
    assert str(pod["securityContext"]["runAsUser"]) == ORDERS["USER"]
    assert {one["mountPath"] for one in container["volumeMounts"]} == {ORDERS["VOLUME"], "/dev/shm"}
    assert ("nvidia.com/gpu" in container["resources"]["limits"]) == (pool == "gpu")


@pools
@pytest.mark.parametrize("changes", [{}, CHANGES], ids=["as it is", "changed"])
def test_a_job_is_what_kubernetes_knows(pool: str, changes: dict[str, Any]) -> None:
    worker = pytest.importorskip("prefect_kubernetes.worker")
    made = asyncio.run(
        worker.KubernetesWorkerJobConfiguration.from_template_and_values(TEMPLATES[pool], changes)
    )
    made.prepare_for_flow_run(FlowRun(flow_id=uuid.uuid4(), name="Odd Name_1"))
    spec = made.job_manifest["spec"]["template"]["spec"]
    assert not find_placeholders(made.job_manifest)
    (container,) = spec["containers"]
    assert container["args"] == ["prefect", "flow-run", "execute"]
    assert container["envFrom"] == [{"secretRef": {"name": "burnish"}}]
    memory = TEMPLATES[pool]["variables"]["properties"]["memory"]["default"]
    assert container["resources"]["limits"]["memory"] == changes.get("memory", memory)
    assert spec.get("serviceAccountName") == changes.get("service_account_name")
    assert ({"name": "A", "value": "b"} in container["env"]) == bool(changes)
    # Prefect wants these two in the pod, where Kubernetes leaves them out of account.
    assert (spec.pop("parallelism"), spec.pop("completions")) == (1, 1)
    require_known(made.job_manifest, "V1Job")


def test_the_manifests_are_what_kubernetes_knows() -> None:
    pytest.importorskip("kubernetes_asyncio")
    for manifest in MANIFESTS:
        require_known(manifest, f"V1{manifest['kind']}")


def require_known(value: Any, kind: str, where: str = "") -> None:  # noqa: ANN401
    """Fail for a field that the API does not have, or that is of another type."""
    models = importlib.import_module("kubernetes_asyncio.client.models")
    if inner := re.fullmatch(r"(?:list\[|dict\(str, )(.*)[\])]", kind):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            require_known(one, inner[1], f"{where}.{key}")
    elif model := getattr(models, kind, None):
        fields = {there: here for here, there in model.attribute_map.items()}
        for key, one in value.items():
            assert key in fields, f"{where}.{key}"
            require_known(one, model.openapi_types[fields[key]], f"{where}.{key}")
    elif where.endswith(".nvidia.com/gpu"):
        assert isinstance(value, int)  # a quantity, for which the models have only text
    elif kind != "object":
        assert isinstance(value, {"str": str, "int": int, "bool": bool}[kind]), where


def test_every_pool_has_its_worker_and_the_worker_only_its_namespace() -> None:
    found = {f"{one['kind']} {one['metadata']['name']}": one for one in MANIFESTS}
    pod = found["Deployment burnish-worker"]["spec"]["template"]["spec"]
    pools_served = [one["args"][one["args"].index("--pool") + 1] for one in pod["containers"]]
    assert pools_served == [one["name"] for one in pod["containers"]] == list(POOL_LIMITS)
    assert not {"ClusterRole", "ClusterRoleBinding"} & {one["kind"] for one in MANIFESTS}
    assert pod["serviceAccountName"] == "burnish-worker"
    told = found["RoleBinding burnish-worker"]
    assert [one["name"] for one in (told["roleRef"], *told["subjects"])] == ["burnish-worker"] * 2
    properties = [template["variables"]["properties"] for template in TEMPLATES.values()]
    images = {one["image"]["default"] for one in properties}
    assert images == {"burnish:latest", SERVICES["worker-gpu"]["image"]}
    for one in pod["containers"]:
        variables = {told["name"]: told for told in one["env"]}
        for part in ("NAME", "KEY"):  # otherwise a job shows the password
            name = f"PREFECT_INTEGRATIONS_KUBERNETES_WORKER_API_AUTH_STRING_SECRET_{part}"
            told = variables["PREFECT_API_AUTH_STRING"]["valueFrom"]["secretKeyRef"]
            assert variables[name]["value"] == told[part.lower()]
    parse(found["Deployment burnish-watch"]["spec"]["template"]["spec"]["containers"][0]["args"])


@pytest.fixture
def client(server: None) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as connected:
        yield connected


@pools
def test_prefect_takes_the_pool_and_deployments_on_it(pool: str, client: SyncPrefectClient) -> None:
    name = f"kubernetes-{pool}"  # the pool of that name itself is of another type here
    told = {"type": "kubernetes", "base_job_template": TEMPLATES[pool]}
    client.create_work_pool(WorkPoolCreate(name=name, **told))
    try:
        deployment = ingest.to_deployment(
            name, work_pool_name=name, entrypoint_type=EntrypointType.MODULE_PATH,
            job_variables={"memory": "1Gi", "env": {"A": "b"}},
        )  # fmt: skip
        deployment.apply()
        found = client.read_deployment_by_name(f"ingest/{name}")
        assert found.job_variables["memory"] == "1Gi"
        deployment.job_variables = {"grace_seconds": "soon"}
        with pytest.raises((PrefectHTTPStatusError, RuntimeError)):
            deployment.apply()
        client.delete_deployment(found.id)
    finally:
        client.delete_work_pool(name)
