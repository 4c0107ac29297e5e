"""One rank of a training: a process that torchrun starts, never the one that runs the stages.

    torchrun --nproc-per-node 2 -m tasks.worker REQUEST

REQUEST is the file that `launch` wrote. Rank 0 leaves the encoder and its facts beside it; a rank
that fails leaves what it has to say.
"""

import contextlib
import json
import logging
import os
import select
import sys
import threading
import time
import traceback
from datetime import timedelta
from pathlib import Path
from typing import Any

from .contracts import BurnishError, Checkpoint, Corpus, Pairs, Triplets

TRAINED = "trained"  # folder of the encoder, beside the request
FACTS = "facts.json"
FAILURE = "failed-{}.json"
POLL_SECONDS = 1.0  # between two looks at whether the launcher lives
WAIT_SECONDS = 3600.0  # for another rank, which may have the scoring of a large model to do


def main(request_path: Path) -> None:
    """Train with the other ranks what the request names; end with 1 if that fails."""
    end_with_launcher()
    folder, rank = request_path.parent, int(os.environ["RANK"])
    logging.basicConfig(
        stream=sys.stdout,
        format=f"rank {rank}: %(message)s",
        level=logging.WARNING if rank else logging.INFO,
    )
    try:
        work(json.loads(request_path.read_text()), folder)
    except Exception as error:  # noqa: BLE001 - told to the launcher, which raises it
        told = {"at": time.time(), "is_ours": isinstance(error, BurnishError)}
        text = traceback.format_exc()
        (folder / FAILURE.format(rank)).write_text(
            json.dumps(told | {"message": str(error) or repr(error), "traceback": text})
        )
        traceback.print_exc()
        sys.stdout.flush()
        os._exit(1)  # the others may wait for this rank in a way that keeps it from ending


def work(request: dict[str, Any], folder: Path) -> None:
    """Join the other ranks and train; rank 0 writes what came out."""
    import torch
    from accelerate import PartialState

    from .learn import learn
    from .model_files import save_encoder
    from .train import TrainConfig

    ranks = PartialState(cpu=not torch.cuda.is_available(), timeout=timedelta(seconds=WAIT_SECONDS))
    encoder, facts = learn(
        Corpus.open(Path(request["corpus"])),
        Pairs.open(Path(request["pairs"])),
        Triplets.open(Path(request["triplets"])),
        Checkpoint.open(Path(request["base"])),
        TrainConfig.model_validate(request["config"]),
        folder,
        device=str(ranks.device),
    )
    if ranks.is_main_process:
        save_encoder(encoder, folder / TRAINED)
        (folder / FACTS).write_text(json.dumps(facts))
    ranks.wait_for_everyone()
    ranks.destroy_process_group()


def end_with_launcher() -> None:
    """End this process at once when the launcher or torchrun is gone, however it ended.

    The launcher holds the other end of standard input and never writes to it; torchrun is the
    parent. A rank that outlived them would go on writing states of a training long started anew.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            readable, _, _ = select.select([0], [], [], POLL_SECONDS)
            with contextlib.suppress(OSError):
                if readable and not os.read(0, 1):
                    break
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
