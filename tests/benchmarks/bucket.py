"""A bucket for what is finished: an empty machine goes on from it, and a kill leaves nothing half.

    python -m tests.benchmarks.bucket WORK --server PROGRAM [--kills 3]

WORK is a new folder, PROGRAM a `moto_server`, which is an S3 of this machine (`pip install
'moto[server]'`, best in an environment of its own). `burnish retrain` over sixty small documents
runs into a bucket that does not exist, which must be said at once; into one that does; and once
more with an empty root and nothing that Prefect remembers. Then, with a prefix of its own each
time, a run is killed as soon as so many objects were stored: everything in the bucket that is
signed must be whole, and the next run, on an empty root, must end as the undisturbed one did.
"""

import argparse
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.telling import say
from tests.small_corpus import NOUNS, write_base, write_documents, write_questions

BUCKET = "team"
KILLED_AFTER = (3, 9, 17, 26, 34)  # objects
PROGRAM = "import sys; from flows.command import run; run(sys.argv[1:])"
SETTINGS = [
    "--evaluate.resamples=200", "--evaluate.general=", "--truncate.resamples=200",
    "--truncate.min-questions=1", "--heal.epochs=2", "--train.passages-per-batch=8",
    "--train.precision=float32",
]  # fmt: skip


class Machine:
    """A machine that comes and goes, with its root and what Prefect remembers; the bucket stays."""

    def __init__(self, work: Path, files: Any) -> None:  # noqa: ANN401 - s3fs
        """Write what the runs start from."""
        self.work, self.files = work, files
        write_base(work / "base")
        write_documents(work / "docs")
        write_questions(work / "questions", work / "docs")

    def start(self, name: str, prefix: str) -> "subprocess.Popen[str]":
        """Start a run in a root of this name, which is emptied before."""
        root = self.work / name
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        told = {
            "BURNISH_STORE": f"s3://{prefix}", "PREFECT_HOME": str(root / "prefect"),
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.work / name}.db", "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        command = [
            "retrain", *SETTINGS, f"--root={root / 'root'}", f"--base={self.work / 'base'}",
            f"--sources={self.work / 'docs'}", f"--questions={self.work / 'questions'}",
        ]  # fmt: skip
        with (self.work / f"{name}.log").open("w") as log:
            return subprocess.Popen(
                [sys.executable, "-c", PROGRAM, *command], env=os.environ | told,
                cwd=self.work, stdout=log, stderr=log, text=True, start_new_session=True,
            )  # fmt: skip

    def run(self, name: str, prefix: str) -> tuple[int, str, float]:
        """Run to the end; return how it ended, what it said, and the seconds."""
        began = time.monotonic()
        code = self.start(name, prefix).wait()
        return code, (self.work / f"{name}.log").read_text(), time.monotonic() - began

    def run_to_success(self, name: str, prefix: str) -> tuple[dict[str, list[str]], str]:
        """Run to the end, which must be good; return what was made, by noun."""
        code, said, seconds = self.run(name, prefix)
        if code:
            sys.exit(f"{name} ended with {code}: {said[-3000:]}")
        taken = len(re.findall(r"is taken from s3://", said))
        root = self.work / name / "root"
        made = {noun: sorted(path.name for path in (root / noun).iterdir()) for noun in NOUNS}
        return made, f"{seconds:.0f} s, {taken} stages taken from the bucket"

    def kill_after(self, objects: int, name: str, prefix: str) -> int:
        """Start a run and kill it, with all its processes, once so many objects are stored."""
        process = self.start(name, prefix)
        while process.poll() is None and len(self.list(prefix)) < objects:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return len(self.list(prefix))

    def list(self, prefix: str) -> list[str]:
        """List the objects below a prefix."""
        return list(self.files.find(prefix, refresh=True))

    def count_signed(self, prefix: str) -> int:
        """Count the nouns that are signed; each must be what its name says, file by file."""
        found = self.list(prefix)
        folders = [name.rpartition("/")[0] for name in found if name.endswith("/manifest.json")]
        for folder in folders:
            digest = hashlib.sha256()
            for name in sorted(one for one in found if one.startswith(f"{folder}/")):
                inner = name.removeprefix(f"{folder}/")
                if inner != "manifest.json":
                    digest.update(inner.encode() + b"\0")
                    digest.update(hashlib.sha256(self.files.cat_file(name)).digest())
            if digest.hexdigest()[:16] != folder.rpartition("/")[2]:
                sys.exit(f"{folder} is signed and is not whole.")
        return len(folders)


def main() -> None:
    """Start the server, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--server", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=3, choices=range(len(KILLED_AFTER) + 1))
    options = parser.parse_args()
    work: Path = options.work.resolve()
    work.mkdir(parents=True)
    from tests.deployments.conftest import find_ports, wait_for

    (port,) = find_ports(1)
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "HF_HUB_OFFLINE": "1",
    }  # fmt: skip
    with (work / "server.log").open("w") as log:
        server = subprocess.Popen(
            [options.server, "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log
        )
    try:
        import s3fs

        files = s3fs.S3FileSystem(use_listings_cache=False)
        wait_for(lambda: _answers(files), 60)
        measure(Machine(work, files), options.kills)
    finally:
        server.terminate()
        server.wait()


def measure(machine: Machine, kills: int) -> None:
    """Run it all, and tell."""
    code, said, seconds = machine.run("nowhere", "nobody/burnish")
    say(f"no such bucket: ended with {code} after {seconds:.0f} s: {_last_line(said)}")
    if code == 0 or "BURNISH_STORE" not in said:
        sys.exit("A bucket that does not exist was not told.")
    machine.files.mkdir(BUCKET)
    before, told = machine.run_to_success("first", f"{BUCKET}/calm")
    say(f"first: {told}; {machine.count_signed(f'{BUCKET}/calm')} nouns in the bucket, all whole")
    after, told = machine.run_to_success("second", f"{BUCKET}/calm")
    say(f"an empty machine: {told}; made the same: {after == before}")
    same = [after == before]
    for objects in KILLED_AFTER[:kills]:
        prefix = f"{BUCKET}/killed{objects}"
        stored = machine.kill_after(objects, f"killed{objects}", prefix)
        signed = machine.count_signed(prefix)
        made, told = machine.run_to_success(f"after{objects}", prefix)
        say(f"killed with {stored} objects stored, {signed} nouns whole; the next: {told}; "
            f"made the same: {made == before}")  # fmt: skip
        same.append(made == before)
    if not all(same):
        sys.exit("What was made differs.")


def _answers(files: Any) -> bool:  # noqa: ANN401 - s3fs
    try:
        files.ls("", refresh=True)
    except Exception:  # noqa: BLE001 - not yet
        return False
    return True


def _last_line(said: str) -> str:
    return said.strip().splitlines()[-1] if said.strip() else ""


if __name__ == "__main__":
    main()
