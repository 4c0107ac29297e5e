"""Lost connections: the one thing after which a stage is worth trying again by itself."""

from collections.abc import Iterator
from typing import Any

from .contracts import BurnishError

RETRY_SECONDS = (30.0, 120.0)  # a server that restarts is back after the first, mostly

# What the libraries between us and a server raise, by name: importing them all would be slow.
_BROKEN = {
    "requests.exceptions": {"ConnectionError", "Timeout", "ConnectTimeout", "ReadTimeout",
                            "RetryError", "ChunkedEncodingError"},
    "urllib3.exceptions": {"MaxRetryError", "NewConnectionError", "ProtocolError",
                           "ReadTimeoutError", "ConnectTimeoutError"},
    "httpx": {"ConnectError", "ConnectTimeout", "ReadError", "ReadTimeout", "WriteError",
              "WriteTimeout", "PoolTimeout", "RemoteProtocolError"},
    "botocore.exceptions": {"EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError",
                            "ConnectionClosedError"},
    "aiohttp.client_exceptions": {"ClientConnectionError", "ClientConnectorError",
                                  "ServerDisconnectedError", "ClientOSError"},
}  # fmt: skip


def is_connection_lost(task: object, run: object, state: Any) -> bool:  # noqa: ANN401 - Prefect's
    """Tell Prefect whether a stage failed because a connection broke.

    Never where the error is one that a person can put right: what raised it has tried again
    already, with growing pauses, where that helps (storages thrice, endpoints for as long as their
    settings say), and more tries would hide for an hour what the message tells.
    """
    error = state.result(raise_on_failure=False)
    return isinstance(error, BaseException) and is_broken(error)


def is_broken(error: BaseException) -> bool:
    """Tell whether an error comes of a connection that was refused, lost, or too slow.

    >>> is_broken(ConnectionResetError()), is_broken(BurnishError()), is_broken(OSError(28, ""))
    (True, False, False)
    """
    chain = list(_trace(error))
    return not any(isinstance(one, BurnishError) for one in chain) and any(map(_is_broken, chain))


def _trace(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from: MLflow wraps what requests raised."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)


def _is_broken(error: BaseException) -> bool:
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    if getattr(error, "connection_invalidated", False):  # SQLAlchemy: the database went away
        return True
    if "database is locked" in str(error):  # SQLite, where two write for longer than it waits
        return True
    return any(kind.__name__ in _BROKEN.get(kind.__module__, ()) for kind in type(error).__mro__)
