"""Hugging Face datasets, from a folder and by name: rows are documents."""

from pathlib import Path

import datasets
import pytest

from tasks.contracts import BurnishError
from tasks.sources import list_sources
from tasks.sources.hub import is_saved

from .conftest import Fill, Read

ROWS = {"id": ["a", "b"], "heading": ["A", "B"], "content": ["one", "two"], "n": [1, 2]}


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def save(folder: Path, **columns: list[object]) -> str:
    datasets.Dataset.from_dict({**ROWS, **columns}).save_to_disk(str(folder))
    return folder.as_posix()


def test_a_saved_dataset(tmp_path: Path, read: Read) -> None:
    name = save(tmp_path / "saved")
    documents, rejects = read(f"{name}#title=heading")
    assert not rejects
    assert [(d.document_id, d.title, d.sections[0].text) for d in documents.values()] == [
        ("a", "A", "one"),
        ("b", "B", "two"),
    ]
    assert documents["b"].sections[0].position == "row 2"
    assert documents["b"].source == name


def test_splits_are_read_together_or_chosen(tmp_path: Path, read: Read) -> None:
    rows = datasets.Dataset.from_dict({"text": ["one", "two", "two"]})
    several = datasets.DatasetDict(train=rows, test=datasets.Dataset.from_dict({"text": ["three"]}))
    several.save_to_disk(str(tmp_path / "saved"))
    name = (tmp_path / "saved").as_posix()
    documents, rejects = read(name)
    assert sorted(d.sections[0].text for d in documents.values()) == ["one", "three", "two"]
    assert list(rejects.values()) == [f"id taken: by {name}/train:2"]
    assert [d.sections[0].text for d in read(f"{name}#split=test")[0].values()] == ["three"]
    with pytest.raises(BurnishError, match="saved#split=dev cannot be loaded: KeyError"):
        read(f"{name}#split=dev")


def test_by_name(fill: Fill, read: Read) -> None:
    """A folder of files is loaded by the same call as a name on the Hub."""
    name = fill({"train.csv": "id,body\nx,one\n", "test.csv": "id,body\ny,two\n"})
    assert list(read(f"hf:{name}")[0]) == ["x", "y"]
    assert list(read(f"hf:{name}#split=test")[0]) == ["y"]
    assert list(read(f"hf:{name}#split=train[:1]&id=body")[0]) == ["one"]
    with pytest.raises(BurnishError, match="cannot be loaded: .* Check its name, `#config=`"):
        read(f"hf:{name}/absent")


def test_a_missing_column_is_told_with_those_there_are(tmp_path: Path) -> None:
    name = save(tmp_path / "saved")
    message = "has no column story: there are id, heading, content, n."
    with pytest.raises(BurnishError, match=message):
        list_sources([f"{name}#text=story"])


def test_the_fingerprint_is_of_the_content_and_of_what_is_read(tmp_path: Path) -> None:
    one, same = save(tmp_path / "1"), save(tmp_path / "2")
    other = save(tmp_path / "3", content=["one", "changed"])
    assert list_sources([one]).fingerprint == list_sources([same]).fingerprint
    seen = {list_sources([n]).fingerprint for n in (one, other, f"{one}#title=heading")}
    assert len(seen) == 3


def test_what_save_to_disk_writes_is_told_by_all_its_files(tmp_path: Path) -> None:
    save(tmp_path / "saved")
    assert is_saved(tmp_path / "saved")
    (tmp_path / "saved" / "dataset_info.json").unlink()
    assert not is_saved(tmp_path / "saved")
