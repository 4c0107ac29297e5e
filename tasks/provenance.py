"""What a result was made with, besides its inputs and settings: the code and the environment."""

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import platform
import subprocess
from pathlib import Path
from typing import Any

PACKAGES = ("flows", "tasks")


def describe_code() -> dict[str, str]:
    """Return the hash of this application's source and, where it is in a Git work tree, the commit.

    `+` behind the commit says that files were changed since.
    """
    specs = (importlib.util.find_spec(name) for name in PACKAGES)
    folders = [Path(spec.origin).parent for spec in specs if spec and spec.origin]
    digest = hashlib.sha256()
    for folder in folders:
        for file in sorted(folder.rglob("*.py")):
            name = file.relative_to(folder.parent).as_posix()
            digest.update(name.encode() + b"\0" + file.read_bytes())
    code = {"code": digest.hexdigest()[:16]}
    commit = _find_commit(folders)
    return code | ({"commit": commit} if commit else {})


def describe_environment() -> dict[str, Any]:
    """Return the interpreter, the machine's kind, the version of every package installed.

    And the working directory, which paths in the settings may be relative to.
    """
    import torch

    packages: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        # one that was half removed has no name, or no metadata at all
        with contextlib.suppress(KeyError, FileNotFoundError):
            if distribution.name:
                packages[distribution.name] = distribution.version
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine()
    return {
        "directory": str(Path.cwd()),
        "python": platform.python_version(),
        "system": platform.platform(),
        "device": device,
        "threads": torch.get_num_threads(),  # sums in another order round otherwise
        "packages": dict(sorted(packages.items(), key=lambda item: item[0].lower())),
    }


def _find_commit(folders: list[Path]) -> str:
    """Return the commit that the code is of; empty where it is not kept in Git."""
    if not folders:
        return ""
    root = folders[0].parent
    names = [folder.name for folder in folders]
    # a virtual environment may lie in someone else's work tree, which ignores it
    if _git(root, "ls-files", *names):
        commit = _git(root, "rev-parse", "HEAD")
        return commit + ("+" if _git(root, "status", "--porcelain", "--", *names) else "")
    return ""


def _git(folder: Path, *arguments: str) -> str:
    try:
        ended = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout.strip() if ended.returncode == 0 else ""
