"""Training by several processes on this machine: started by torchrun, followed, and ended."""

import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import worker
from .contracts import BurnishError, writable

logger = logging.getLogger(__name__)

LOG = "ranks.log"
END_SECONDS = 60.0  # torchrun gives its processes 30
_FAILED = re.compile(r"rank +: (\d+) .*\n +exitcode +: (-?\d+)")


def count_processes(wanted: int | None) -> int:
    """Return how many processes train: as many as wanted, else one per GPU, else one.

    Raises:
        BurnishError: there are fewer GPUs.
    """
    if wanted == 1:
        return 1
    import torch

    devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if devices and (wanted or 1) > devices:
        raise BurnishError(
            f"train.processes asks for {wanted}, but there are {devices} GPUs here and each trains "
            f"with one process. Ask for {devices} at most, or leave it out for one per GPU."
        )
    return wanted or devices or 1


def launch(request: dict[str, Any], processes: int, folder: Path) -> dict[str, Any]:
    """Run `worker` in some processes until all have ended; return the facts that it left.

    Whatever happens here, an exception or SIGKILL, no process outlives it.

    Args:
        request: What `worker.work` reads.
        processes: How many.
        folder: Where they keep the training's state, write to the file `LOG` what they have to
            say, and leave the encoder, in `worker.TRAINED`.

    Raises:
        BurnishError: one of them failed, or what it raised.
    """
    with writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for file in folder.glob(worker.FAILURE.format("*")):
            file.unlink()
        (folder / "request.json").write_text(json.dumps(request))
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
        *("--local-addr", "127.0.0.1", "--nproc-per-node", str(processes)),
        *("-m", worker.__name__, str((folder / "request.json").absolute())),
    ]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,  # its end tells the ranks that this process is gone
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_environment(processes),
        start_new_session=True,  # Ctrl-C reaches this process alone, which ends them in order
        text=True,
        errors="replace",
    ) as process:
        try:
            _follow(process, folder / LOG)
        finally:
            _end(process)
    if process.returncode != 0:
        raise _tell(process.returncode, processes, folder)
    facts: dict[str, Any] = json.loads((folder / worker.FACTS).read_text())
    return facts


def _environment(processes: int) -> dict[str, str]:
    """Have the ranks find this very package, each other, and their share of the processor."""
    source = str(Path(__file__).resolve().parents[1])
    known = os.environ.get("PYTHONPATH")
    threads = max(1, (os.cpu_count() or 1) // processes)
    defaults = {"OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"}
    if sys.platform == "linux":  # else gloo looks the host's name up, which containers may lack
        defaults["GLOO_SOCKET_IFNAME"] = "lo"
    path = {"PYTHONPATH": f"{source}{os.pathsep}{known}" if known else source}
    return defaults | dict(os.environ) | path


def _follow(process: "subprocess.Popen[str]", log: Path) -> None:
    """Log what the ranks say until the last of them has closed its output, hence ended."""
    assert process.stdout is not None
    with writable(log), log.open("w", buffering=1) as file:
        for line in process.stdout:
            file.write(line)
            if line.startswith("rank "):
                logger.info("%s", line.partition(": ")[2].rstrip())


def _end(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
    process.stdout.read()  # until the last rank has ended


def _tell(status: int, processes: int, folder: Path) -> BurnishError:
    """Say which rank failed first, and why."""
    failures = [json.loads(file.read_text()) for file in folder.glob(worker.FAILURE.format("*"))]
    failures.sort(key=lambda failure: float(failure["at"]))
    for failure in failures:
        if failure["is_ours"]:
            return BurnishError(str(failure["message"]))
    text = (folder / LOG).read_text(errors="replace")
    killed = [(rank, -int(code)) for rank, code in _FAILED.findall(text) if int(code) < 0]
    # Those that torchrun ended itself, and those that lost their peer, followed another.
    causes = [(rank, number) for rank, number in killed if number != signal.SIGTERM]
    reason = f"torchrun ended with {status}"
    if causes:
        rank, number = causes[-1]  # torchrun names the first failure last
        reason = f"rank {rank} was killed by {_name(number)}"
    elif failures:
        reason = str(failures[0]["traceback"]).strip().rpartition("\n")[2]
    return BurnishError(
        f"One of the {processes} training processes failed: {reason}. What they said is in "
        f"{folder / LOG}. The training's state is kept; run again to go on from it. "
        f"The last lines:\n{_last_lines(text)}"
    )


def _name(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    return f"{name}, as the system does when memory runs out" if name == "SIGKILL" else name


def _last_lines(text: str, most: int = 10) -> str:
    lines: Sequence[str] = [line for line in text.splitlines() if line.strip(" =-")]
    said = [line for line in lines if line.startswith("rank ")]
    return "\n".join((said or lines)[-most:])
