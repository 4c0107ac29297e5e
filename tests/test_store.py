"""The store: what is finished on one machine is found on another, whole or not at all."""

from pathlib import Path

import pytest

from tasks.contracts import BurnishError, Triplets
from tasks.shared import ready_store
from tasks.store import VARIABLE, Store, find_store, without_store

ROWS = [
    {"query_id": "q", "passage_id": "p", "negative_ids": [], "unknown_ids": [], "score": 0.5,
     "negative_scores": []}
]  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"file://{tmp_path}/store")


def test_a_noun_is_found_below_another_root(tmp_path: Path, store: Store) -> None:
    made = Triplets.write(tmp_path / "one", ROWS)
    assert store.fetch(Triplets, made.fingerprint, tmp_path / "two") is None
    store.put(made)
    found = store.fetch(Triplets, made.fingerprint, tmp_path / "two")
    assert found is not None and found.root == tmp_path / "two"
    assert found.read().to_pylist() == ROWS


def test_what_is_not_signed_is_not_there(tmp_path: Path, store: Store) -> None:
    made = Triplets.write(tmp_path / "one", ROWS)
    store.put(made)
    signature = tmp_path / "store" / "triplets" / made.fingerprint / "manifest.json"
    for left in (b'{"finger', b""):  # cut short
        signature.write_bytes(left)
        assert store.fetch(Triplets, made.fingerprint, tmp_path / "two") is None
    store.put(made)
    assert store.fetch(Triplets, made.fingerprint, tmp_path / "two") is not None


def test_a_damaged_noun_is_not_read_and_is_stored_anew(tmp_path: Path, store: Store) -> None:
    made = Triplets.write(tmp_path / "one", ROWS)
    store.put(made)
    (tmp_path / "store" / "triplets" / made.fingerprint / "rejects.parquet").write_bytes(b"half")
    assert store.fetch(Triplets, made.fingerprint, tmp_path / "two") is None
    assert not (tmp_path / "two" / "triplets").exists()
    store.put(made)
    assert store.fetch(Triplets, made.fingerprint, tmp_path / "two") is not None


@pytest.mark.parametrize(
    ("url", "told"),
    [("nothing://bucket", "cannot be opened"), ("s3://key:secret@bucket/x", "holds a password")],
)
def test_a_wrong_address_is_refused(url: str, told: str) -> None:
    with pytest.raises(BurnishError, match=told) as raised:
        Store(url)
    assert "secret" not in str(raised.value)


def test_a_store_that_cannot_be_written_is_told_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(VARIABLE, f"file://{tmp_path}/file/store")
    with pytest.raises(BurnishError, match=r"BURNISH_STORE.*cannot be used"):
        ready_store(tmp_path / "root")
    with without_store():
        assert find_store() is None
        ready_store(tmp_path / "root")
