"""Training by two processes: the same model as by one; a rank that dies ends all, and is told."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from safetensors.torch import load_file

from tasks import worker
from tasks.contracts import BurnishError, Checkpoint
from tasks.launch import count_processes
from tasks.model_files import load_encoder
from tasks.tables import read_passages
from tasks.train import TrainConfig, train
from tests.small_nouns import Nouns, make_nouns

CONFIG = TrainConfig(
    epochs=15, passages_per_batch=8, precision="float32", checkpoint_seconds=1e-6, processes=2,
    texts_per_pass=3, exits=(2, 3), dimensions=(8,), patience=100, evaluations_per_epoch=1,
)  # fmt: skip


@pytest.fixture
def nouns(tmp_path: Path, words: tuple[str, ...]) -> Nouns:
    return make_nouns(tmp_path / "root", words, train=21, dev=5)


def kill_rank(rank: int, root: Path, seen: list[psutil.Process]) -> None:
    """Kill a rank once there is something to go on from."""
    while len(seen) < 2:
        children = psutil.Process().children(recursive=True)
        seen[:] = [child for child in children if tell_rank(child) is not None]
        time.sleep(0.05)
    while not list(root.glob("unfinished/*/polish.safetensors")):
        time.sleep(0.005)
    next(child for child in seen if tell_rank(child) == str(rank)).kill()


def tell_rank(process: psutil.Process) -> str | None:
    """Return the rank that a process trains as, if it is one and lives."""
    try:
        is_worker = process.cmdline()[-2:-1] == [worker.__name__]
        return process.environ().get("RANK") if is_worker else None
    except psutil.Error:  # what other tests left to be reaped
        return None


def test_two_processes_train_as_one_and_go_on_after_one_of_them_died(
    nouns: Nouns, checkpoint: Checkpoint
) -> None:
    before = psutil.Process().children(recursive=True)  # what other tests left to be reaped
    alone = train.fn(*nouns, checkpoint, CONFIG.model_copy(update={"processes": 1}))
    ranks: list[psutil.Process] = []
    killer = threading.Thread(target=kill_rank, args=(1, checkpoint.root, ranks), daemon=True)
    killer.start()
    with pytest.raises(BurnishError, match=r"(?s)rank 1 was killed by SIGKILL.*ranks\.log") as told:
        train.fn(*nouns, checkpoint, CONFIG)
    killer.join()
    assert not any(rank.is_running() for rank in ranks)
    assert not set(psutil.Process().children(recursive=True)) - set(before)
    (log,) = checkpoint.root.glob("unfinished/*/ranks.log")
    assert str(log) in str(told.value) and "SIGKILL" in log.read_text()

    resumed = train.fn(*nouns, checkpoint, CONFIG)
    assert not list((checkpoint.root / "unfinished").iterdir())
    (resumed.path / "manifest.json").unlink()
    whole = train.fn(*nouns, checkpoint, CONFIG)
    assert resumed.fingerprint == whole.fingerprint and resumed.facts == whole.facts

    assert whole.facts.keys() == alone.facts.keys()
    scores, scores_alone = (np.array(made.facts["dev_scores"]) for made in (whole, alone))
    np.testing.assert_allclose(scores, scores_alone, atol=1e-4)
    apart, moved = distance(alone, whole), distance(alone, checkpoint)
    assert apart < 0.05 * moved
    texts = read_passages(nouns.corpus).texts
    one, two, base = (
        load_encoder(made.path).encode(texts, "document", [2, 3])
        for made in (alone, whole, checkpoint)
    )
    assert float((one * base).sum(axis=-1).min()) < 0.9999
    assert float((one * two).sum(axis=-1).min()) > 0.99999


def distance(a: Checkpoint, b: Checkpoint) -> float:
    """Return the Euclidean distance between all weights of two checkpoints."""
    one, two = (load_file(made.path / "model.safetensors") for made in (a, b))
    return float(np.sqrt(sum(float((one[name] - two[name]).square().sum()) for name in one)))


CHILD = "import time; from tasks.worker import end_with_launcher; end_with_launcher(); print(1)"


def test_a_rank_ends_when_its_launcher_is_gone() -> None:
    command = [sys.executable, "-uc", f"{CHILD}; time.sleep(600)"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as rank:
        assert rank.stdout is not None and rank.stdin is not None
        assert rank.stdout.readline() == b"1\n"
        rank.stdin.close()
        assert rank.wait(60) == 1


def test_a_rank_ends_when_torchrun_is_gone() -> None:
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-uc', {CHILD!r} + "
    program += "'; time.sleep(600)'])"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as torchrun:
        assert torchrun.stdout is not None
        assert torchrun.stdout.readline() == b"1\n"
        torchrun.kill()
        assert torchrun.stdout.read() == b""  # until the rank has ended, too


def test_on_a_processor_one_process_trains_unless_more_are_asked_for() -> None:
    assert count_processes(3 if not torch.cuda.is_available() else 1) in {1, 3}
    assert count_processes(1) == 1
    if not torch.cuda.is_available():
        assert count_processes(None) == 1
