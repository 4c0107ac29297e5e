"""Reasons to set a file aside."""

from collections.abc import Iterator
from contextlib import contextmanager


class Unreadable(ValueError):
    """A file cannot be parsed; the message is the reason: `kind: details`."""


class Passing(Unreadable):
    """A file could not be parsed this time; another run may not meet the reason."""


@contextmanager
def damage(name: str) -> Iterator[None]:
    """Tell whatever a library says of a file as damage of that file.

    Libraries meet damage in places without number, each with an exception of its own.
    """
    try:
        yield
    except (Unreadable, MemoryError, ModuleNotFoundError):
        raise
    except RecursionError as error:
        raise Unreadable(f"damaged {name}: nested too deeply") from error
    except Exception as error:
        told = " ".join(str(error).split())[:150]
        raise Unreadable(f"damaged {name}: {type(error).__name__}: {told}") from error
