"""Many calls at once, for callers that are not asynchronous."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from itertools import islice
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def run_concurrently(
    call: Callable[[Item], Coroutine[Any, Any, Result]],
    items: Iterable[Item],
    *,
    concurrency: int,
    close: Callable[[], Coroutine[Any, Any, None]],
) -> Generator[tuple[Item, Future[Result]], None, None]:
    """Call `call` for every item, at most `concurrency` at once, and yield each as it ends.

    The calls run on an event loop in a thread of its own: a notebook's thread has a loop already,
    and what the caller does with a result is not asynchronous. A caller that stops early closes
    the iterator (`contextlib.closing`), which cancels what is under way.

    Args:
        call: Starts one call.
        items: What to call it for; taken as there is room.
        concurrency: Most calls under way.
        close: Awaited on the same loop at the end.

    Yields:
        An item and its finished future, which holds the result or the exception.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="concurrently", daemon=True)
    thread.start()
    waiting = iter(items)
    running: dict[Future[Result], Item] = {}
    try:
        while True:
            for item in islice(waiting, concurrency - len(running)):
                running[asyncio.run_coroutine_threadsafe(call(item), loop)] = item
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield running.pop(future), future
    finally:
        for future in running:
            future.cancel()
        asyncio.run_coroutine_threadsafe(_finish(close), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _finish(close: Callable[[], Coroutine[Any, Any, None]]) -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await close()
