"""The cache key: a stage is keyed by the code it depends on, near and far, and by nothing else."""

import importlib
import sys
from pathlib import Path

import pytest

from tasks import stage as stage_module
from tasks.contracts import Triplets
from tasks.stage import Content, fingerprint_code, identify


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "other"
    (folder / "core").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "core" / "__init__.py").write_text("")
    (folder / "core" / "near.py").write_text("from .far import x\n")
    (folder / "core" / "far.py").write_text("x = 1\n")
    (folder / "core" / "apart.py").write_text("y = 1\n")
    (folder / "verb.py").write_text("def verb():\n    from .core import near\n    return near.x\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(stage_module, "PACKAGE", "other")
    importlib.invalidate_caches()
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "other"]:
        del sys.modules[name]


def key() -> str:
    stage_module._closure.cache_clear()
    stage_module._file.cache_clear()
    return fingerprint_code("other.verb")


@pytest.mark.parametrize("edited", ["verb.py", "core/near.py", "core/far.py"])
def test_an_edit_of_what_it_imports_changes_the_key(package: Path, edited: str) -> None:
    before = key()
    (package / edited).write_text((package / edited).read_text() + "\n# edited\n")
    assert key() != before


def test_an_edit_elsewhere_changes_nothing(package: Path) -> None:
    before = key()
    (package / "core" / "apart.py").write_text("y = 2\n")
    assert key() == before


def test_training_depends_on_the_losses_and_not_on_the_registry() -> None:
    from tasks.stage import _closure

    modules = _closure(frozenset({"tasks.train"}))
    assert {"tasks.core.losses", "tasks.core.encoder", "tasks.phases"} <= modules
    assert not {"tasks.register", "tasks.heal", "tasks.stage"} & modules


def test_a_root_made_again_is_another_root(tmp_path: Path) -> None:
    root = tmp_path / "root"
    first = identify(root)
    assert identify(root) == first
    (root / "identity").unlink()
    assert identify(root) != first


def content_key(**inputs: object) -> str | None:
    return Content().compute_key(None, inputs, {})  # type: ignore[arg-type]


def test_what_was_made_before_counts_by_its_content_alone(tmp_path: Path) -> None:
    rows = [
        {"query_id": "q", "passage_id": "p", "negative_ids": [], "unknown_ids": [], "score": 0.5,
         "negative_scores": []}
    ]  # fmt: skip
    first = Triplets.write(tmp_path, rows, facts={"computed": 1})
    again = Triplets.write(tmp_path, rows, facts={"computed": 0})
    other = Triplets.write(tmp_path, [rows[0] | {"query_id": "r"}])
    assert first != again
    assert content_key(made=first, depth=1) == content_key(made=again, depth=1) is not None
    assert content_key(made=first, depth=1) != content_key(made=other, depth=1)
    assert content_key(made=first, depth=1) != content_key(made=first, depth=2)
    assert content_key(made=None) != content_key(made=first)
