"""The project as a whole: its packages are its own, the core is pure."""

import ast
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("package", ["flows", "tasks", "deployments"])
def test_packages_are_this_repositorys(package: str) -> None:
    spec = find_spec(package)
    assert spec is not None and spec.origin is not None
    assert Path(spec.origin).is_relative_to(ROOT)


def test_the_top_level_holds_what_belongs_there() -> None:
    names = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    known = {"pyproject.toml", "flows", "tasks", "tests", "deployments", "README.md"}
    assert {name for name in names if not name.endswith(".egg-info")} - {"build"} == known


def test_core_imports_neither_prefect_nor_mlflow_nor_a_config() -> None:
    for file in (ROOT / "tasks" / "core").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [("." * node.level) + (node.module or "")]
            for name in names:
                assert name.split(".")[0] not in {"prefect", "mlflow"}, file
                assert not name.startswith(".."), f"{file}: core depends on itself alone"
