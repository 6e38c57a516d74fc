"""Postgres and Valkey for tests: the embedded ones, in a folder of the test's."""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Literal, TypeVar

from app.embedded.folder import DataFolder
from app.embedded.part import Part
from app.embedded.postgres import Postgres
from app.embedded.stack import EmbeddedStack, StackUrls
from app.embedded.valkey import Valkey

Stack = StackUrls
ServerName = Literal["postgres", "valkey"]
Opened = TypeVar("Opened")

_STOP_SECONDS = 60


@contextlib.contextmanager
def run_stack(folder: Path) -> Iterator[Stack]:
    """Runs an empty Postgres and a Valkey in `folder` until the block is left."""
    with _in_a_thread(EmbeddedStack(folder).running()) as running:
        yield running


@contextlib.contextmanager
def run_breakable_stack(folder: Path) -> Iterator["BreakableStack"]:
    """As `run_stack`, but the test can take a server away and bring it back."""
    with _in_a_thread(_breakable(folder)) as running:
        yield running


class BreakableStack:
    """Servers that are stopped and started by whoever holds them; they are not kept going by themselves."""

    def __init__(self, folder: DataFolder) -> None:
        postgres, valkey = Postgres(folder), Valkey(folder)
        self.urls = Stack(postgres.url, valkey.url)
        self._logs = folder.logs
        self._programs = {"postgres": postgres.program(), "valkey": valkey.program()}
        self._parts: dict[str, Part] = {}
        self._loop = asyncio.get_running_loop()

    def stop(self, name: ServerName) -> None:
        """Ends a server."""
        asyncio.run_coroutine_threadsafe(self.end(name), self._loop).result(_STOP_SECONDS)

    def start(self, name: ServerName) -> None:
        """Starts a server again; returns when it is ready."""
        asyncio.run_coroutine_threadsafe(self.begin(name), self._loop).result(_STOP_SECONDS)

    def kill(self, name: ServerName) -> None:
        """Ends a server without a word; returns when it is gone."""
        asyncio.run_coroutine_threadsafe(self.end(name, suddenly=True), self._loop).result(_STOP_SECONDS)

    @contextlib.contextmanager
    def frozen(self, name: ServerName) -> Iterator[None]:
        """Has a server answer nothing during the block, while its connections stay."""
        pid = self._parts[name].pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    async def begin(self, name: ServerName) -> None:
        part = Part(self._programs[name], self._logs, lambda _: None)
        self._parts[name] = part
        await part.start()

    async def end(self, name: ServerName, *, suddenly: bool = False) -> None:
        part = self._parts.pop(name, None)
        if part is not None:
            if suddenly:
                part.kill()
            await part.stop()


@contextlib.asynccontextmanager
async def _breakable(root: Path) -> AsyncIterator[BreakableStack]:
    folder = DataFolder(root)
    with folder.locked():
        stack = BreakableStack(folder)
        try:
            await stack.begin("postgres")
            await stack.begin("valkey")
            yield stack
        finally:
            await stack.end("valkey")
            await stack.end("postgres")


@contextlib.contextmanager
def _in_a_thread(running: AbstractAsyncContextManager[Opened]) -> Iterator[Opened]:
    """Holds `running` open for the block, on a loop in a thread of its own.

    The thread lives as long as the servers do: the kernel ends them with the thread that started them.
    """
    opened: Future[Opened] = Future()
    stop = asyncio.Event()
    loop = asyncio.new_event_loop()

    async def run() -> None:
        async with running as inner:
            opened.set_result(inner)
            await stop.wait()

    def run_loop() -> None:
        try:
            loop.run_until_complete(run())
        except BaseException as error:
            if opened.done():
                raise
            opened.set_exception(error)
        finally:
            loop.close()

    thread = threading.Thread(target=run_loop, name="stack")
    thread.start()
    try:
        yield opened.result()
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)
        thread.join(_STOP_SECONDS)
