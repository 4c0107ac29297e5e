"""What a result was made with: the code, to the byte, and every package."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from tasks import provenance
from tasks.provenance import describe_code, describe_environment


def test_the_code_is_told_apart_by_any_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "polish"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "train.py").write_text("RATE = 1\n")
    monkeypatch.setattr(provenance, "PACKAGES", ("polish", "not_there"))
    monkeypatch.syspath_prepend(tmp_path)
    first = describe_code()
    assert first == describe_code()
    assert first.keys() == {"code"}  # no work tree, no commit
    (package / "train.py").write_text("RATE = 2\n")
    second = describe_code()
    assert second["code"] != first["code"]

    def git(*arguments: str) -> None:
        name = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", "-C", tmp_path, *name, *arguments], check=True, capture_output=True)

    git("init")
    assert "commit" not in describe_code()  # the work tree is not of this code
    git("add", ".")
    git("commit", "-m", "first")
    clean = describe_code()
    assert clean["code"] == second["code"] and len(clean["commit"]) == 40
    (package / "train.py").write_text("RATE = 3\n")
    assert describe_code()["commit"] == clean["commit"] + "+"


def test_the_environment_names_every_package() -> None:
    environment = describe_environment()
    assert environment["python"] == platform.python_version()
    assert environment["packages"]["mlflow"] == version("mlflow")
    assert environment["threads"] >= 1


def test_a_package_without_a_name_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = describe_environment()
    for name in ("half_removed", "nameless"):
        (tmp_path / f"{name}-1.0.dist-info").mkdir()
    (tmp_path / "nameless-1.0.dist-info" / "METADATA").write_text("Version: 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert describe_environment() == before
