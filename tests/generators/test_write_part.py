"""Parts of what a local model writes: cut anyhow the same as one stream, wherever they are done."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks import held
from tasks.contracts import BurnishError
from tasks.core.precision import Precision
from tasks.engines import stamp_code
from tasks.generators import local as local_module
from tasks.generators.local import Local, LocalConfig
from tasks.generators.local_model import LocalModel, find_model
from tasks.generators.local_prompts import frame, passage_tokens
from tasks.generators.write_part import Manner, Written, at_hand, write_part
from tasks.held import let_go
from tasks.packed import pack
from tasks.runners import Engine
from tests.generators.test_local import EXAMPLES, PASSAGES, make_model, make_tokenizer, write_gguf

ROWS = 7
TEXTS = [passage.composed for passage in PASSAGES]


@pytest.fixture(autouse=True)
def nothing_loaded() -> Iterator[None]:
    """Begin as a new process would, and leave nothing behind."""
    let_go()
    yield
    let_go()


def make_folder(folder: Path, *, has_encoder: bool = False) -> Path:
    tokenizer = make_tokenizer()
    make_model(len(tokenizer), has_encoder).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def find(folder: Path, precision: Precision = "float32") -> LocalModel:
    return find_model(str(folder), "", precision, "cpu")


class Case:
    """A model, how it writes, and the passages in its tokens, while its folder is there."""

    def __init__(self, model: LocalModel, temperature: float = 0, contrast: float = 0.5) -> None:
        tokenizer = model.load_tokenizer()
        shown = frame(tokenizer, "bare" if model.has_encoder else "auto", EXAMPLES)
        self.model = model
        self.fingerprint = model.fingerprint
        self.manner = Manner(shown, 3, 8, temperature, 0.9, contrast)
        self.passages = passage_tokens(tokenizer, TEXTS, 99)
        self.seeds = list(range(len(TEXTS)))

    def write(self, packed: np.ndarray | None = None, size: int = len(TEXTS)) -> list[Written]:
        """Write for all passages in parts of a size."""
        found = []
        for start in range(0, len(TEXTS), size):
            part = slice(start, start + size)
            passages = [np.array(tokens, np.int32) for tokens in self.passages[part]]
            found += write_part(
                self.model, self.fingerprint, self.manner, ROWS, passages, self.seeds[part], packed
            )
        return found


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("temperature", [0, 1])
@pytest.mark.parametrize("contrast", [0, 0.5])
def test_parts_cut_anyhow_are_what_one_stream_writes(
    tmp_path: Path, precision: Precision, temperature: float, contrast: float
) -> None:
    case = Case(find(make_folder(tmp_path / "model"), precision), temperature, contrast)
    writer = case.manner.prepare(case.model.load(), case.model.load_tokenizer())
    stream = {number: lines for number, *lines in writer.write(case.passages, case.seeds, ROWS)}
    wanted = [Written(*stream[number]) for number in case.seeds]
    assert len({str(lines) for lines in wanted}) > 3
    for size in (1, 2, 4, len(TEXTS)):
        assert case.write(size=size) == wanted


@pytest.mark.parametrize("is_gguf", [False, True])
def test_a_model_travels_where_it_cannot_be_seen(tmp_path: Path, is_gguf: bool) -> None:
    folder = tmp_path / "model"
    if is_gguf:
        gguf = pytest.importorskip("gguf")
        folder.mkdir()
        tokenizer = make_tokenizer()
        write_gguf(gguf, folder / "tiny.gguf", make_model(len(tokenizer)), tokenizer)
    else:
        make_folder(folder)
    (folder / "__init__.py").write_text("raise SystemExit")
    (folder / "pytorch_model.bin").write_bytes(b"0" * 10**6)
    case = Case(find(folder))
    packed = pack(folder, case.model.files())
    wanted = case.write()
    let_go()
    folder.rename(tmp_path / "elsewhere")
    assert case.write(packed) == wanted
    with at_hand(case.model, case.fingerprint, packed) as arrived:
        kinds = {file.suffix for file in arrived.folder.iterdir()}
        assert kinds <= {".json", ".safetensors", ".jinja", ".gguf"}
    assert not arrived.folder.exists()


def test_other_files_at_the_same_place_are_not_taken_for_the_model(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "model")
    case = Case(find(folder))
    packed = pack(folder, case.model.files())
    wanted = case.write()
    let_go()
    shutil.rmtree(folder)
    make_folder(folder, has_encoder=True)
    assert case.write(packed) == wanted
    for fingerprint, told, way in [
        ("another", "whole", packed), (case.fingerprint, "changed or is gone", None)
    ]:  # fmt: skip
        with pytest.raises(BurnishError, match=told), at_hand(case.model, fingerprint, way):
            pass


def test_a_process_loads_one_model_once(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "model")
    case = Case(find(folder))
    wanted = case.write()
    shutil.rmtree(folder)
    assert case.write(size=4) == wanted
    Case(find(make_folder(tmp_path / "other", has_encoder=True))).write()
    assert len(held._HELD) == 1


def test_a_library_that_is_missing_is_another_version() -> None:
    stamps = {
        stamp_code("tasks.generators.write_part", libraries)
        for libraries in [("torch",), ("torch", "numpy"), ("torch", "there-is-none")]
    }
    assert len(stamps) == 3


class OneNode:
    """Does parts in this process, as an engine of a single node would; it may die after some."""

    def __init__(self, parts: int | None = None) -> None:
        self.left = parts
        self.sizes: list[int] = []

    def spread(
        self,
        engine: Engine,
        work: Callable[..., list[Written]],
        parts: Iterable[tuple[Any, ...]],
        shared: Callable[[], np.ndarray],
        **told: object,
    ) -> Iterator[list[Written]]:
        """Do the parts, as `tasks.engines.spread` does."""
        packed = shared()
        for part in parts:
            if self.left == len(self.sizes):
                raise BurnishError("lost")
            self.sizes.append(len(part[-1]))
            yield work(*part, packed)


@pytest.fixture
def one_node(monkeypatch: pytest.MonkeyPatch) -> OneNode:
    node = OneNode()
    monkeypatch.setattr(local_module, "find_engine", lambda: Engine("ray", ""))
    monkeypatch.setattr(local_module, "spread", node.spread)
    monkeypatch.setattr(local_module, "PART_PASSAGES", 2)
    monkeypatch.setattr(local_module, "PART_ROUNDS", 2)
    return node


def local(root: Path, folder: Path, temperature: float = 0) -> Local:
    config = LocalConfig(
        model=str(folder), max_query_tokens=8, queries_at_once=ROWS, temperature=temperature
    )
    return Local(config, root, 3, EXAMPLES)


@pytest.mark.parametrize("has_encoder", [False, True])
@pytest.mark.parametrize("temperature", [0, 1])
def test_an_engine_writes_and_keeps_what_this_process_does(
    tmp_path: Path,
    one_node: OneNode,
    monkeypatch: pytest.MonkeyPatch,
    has_encoder: bool,
    temperature: float,
) -> None:
    folder = make_folder(tmp_path / "model", has_encoder=has_encoder)
    there = local(tmp_path / "there", folder, temperature)
    made = there.generate(PASSAGES, lambda count: None)
    assert one_node.sizes == [4, 4, 1]
    here = local(tmp_path / "here", folder, temperature)
    monkeypatch.setattr(local_module, "PART_PASSAGES", len(PASSAGES))
    assert made == here.generate(PASSAGES, lambda count: None)
    assert len(one_node.sizes) == 3  # a single part stays here
    again = local(tmp_path / "there", folder, temperature)
    assert again.generate(PASSAGES, lambda count: None) == made
    assert again.work == {"queried": 0, "known": len(PASSAGES)}


def test_what_came_before_the_engine_was_lost_is_kept(tmp_path: Path, one_node: OneNode) -> None:
    folder = make_folder(tmp_path / "model")
    one_node.left = 2
    with pytest.raises(BurnishError, match="lost"):
        local(tmp_path, folder).generate(PASSAGES, lambda count: None)
    after = local(tmp_path, folder)
    after.generate(PASSAGES, lambda count: None)
    assert after.work == {"queried": len(PASSAGES) - 8, "known": 8}
