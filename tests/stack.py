"""Postgres and Valkey for tests: the embedded ones, in a folder of the test's."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

from app.embedded.stack import EmbeddedStack, StackUrls

Stack = StackUrls

_STOP_SECONDS = 60


@contextlib.contextmanager
def run_stack(folder: Path) -> Iterator[Stack]:
    """Runs an empty Postgres and a Valkey in `folder` until the block is left, on a loop in a thread of its own.

    The thread lives as long as they do: the kernel ends them with the thread that started them.
    """
    urls: Future[Stack] = Future()
    stop = asyncio.Event()
    loop = asyncio.new_event_loop()

    async def run() -> None:
        async with EmbeddedStack(folder).running() as running:
            urls.set_result(running)
            await stop.wait()

    def run_loop() -> None:
        try:
            loop.run_until_complete(run())
        except BaseException as error:
            if urls.done():
                raise
            urls.set_exception(error)
        finally:
            loop.close()

    thread = threading.Thread(target=run_loop, name="stack")
    thread.start()
    try:
        yield urls.result()
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)
        thread.join(_STOP_SECONDS)
