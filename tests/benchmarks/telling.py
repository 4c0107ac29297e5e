"""What benchmarks tell, at once, and how long they wait for what they tell of."""

import sys
import time
from collections.abc import Callable


def say(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def wait_for(is_so: Callable[[], bool], seconds: float) -> float:
    """Wait until something is so; return how long that took.

    Raises:
        TimeoutError: it was not within so many seconds.
    """
    started = time.monotonic()
    while not is_so():
        if time.monotonic() - started > seconds:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(0.5)
    return time.monotonic() - started
