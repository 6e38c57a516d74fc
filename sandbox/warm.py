"""Kernels that are ready before they are wanted, each in a folder of its own."""

import asyncio
import os
import secrets
import time
from collections import deque
from pathlib import Path
from typing import Final

import structlog

from sandbox.demand import Demand
from sandbox.errors import SandboxError
from sandbox.folder import SessionFolder
from sandbox.kernel import Kernel, Workshop
from sandbox.memory import available_bytes

_log = structlog.get_logger()

#: After a kernel that did not come up, before the next is tried.
_BACK_OFF_SECONDS: Final = 5.0
#: How often it is looked whether fewer will do.
_ROUND_SECONDS: Final = 30.0
#: How many are started at once: more would only get into each other's way.
_AT_ONCE: Final = 4 * (os.cpu_count() or 1)
#: What one has in memory before any code has run in it, and how much of what is free may go to those that wait.
_KERNEL_BYTES: Final = 40 * 2**20
_SHARE: Final = 4

Ready = tuple[SessionFolder, Kernel]


class WarmKernels:
    """Keeps kernels ready: `fewest`, and as many as were asked for in one moment lately, `most` at most; for 0, none.

    `take` one, or a new one where none is.
    """

    def __init__(self, workshop: Workshop, root: Path, fewest: int, most: int) -> None:
        self._workshop = workshop
        self._root = root
        self._fewest = fewest
        self._most = most
        self._demand = Demand()
        self._ready: deque[Ready] = deque()
        self._starting = asyncio.Semaphore(_AT_ONCE)
        #: How many sessions wait for one. Nothing is made to be kept meanwhile.
        self._waiting = 0
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._ready)

    @property
    def kernels(self) -> list[Kernel]:
        """Those that are ready."""
        return [kernel for _, kernel in self._ready]

    async def take(self) -> Ready:
        """A folder without files and a kernel that has run nothing. Raises KernelFailed."""
        self._demand.note(time.monotonic())
        self._waiting += 1
        try:
            if ready := await self._next():
                return ready
            async with self._starting:
                return await self._next() or await self._make()
        finally:
            self._waiting -= 1
            self._changed.set()

    async def close(self) -> None:
        """Ends them all, once none is made any more."""
        await asyncio.gather(*(_discard(*ready) for ready in self._ready))
        self._ready.clear()

    async def keep(self) -> None:
        """Makes and ends kernels whenever there are too few or too many. Never returns."""
        while True:
            self._changed.clear()
            try:
                await self._adjust()
            except (SandboxError, OSError) as error:
                _log.warning("a kernel did not come up", error=str(error))
                await asyncio.sleep(_BACK_OFF_SECONDS)
                continue
            try:
                async with asyncio.timeout(_ROUND_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _adjust(self) -> None:
        """One after the other: those who are at work come first."""
        while not self._waiting and len(self._ready) < self._wanted():
            self._ready.append(await self._make())
        while len(self._ready) > self._wanted():
            await _discard(*self._ready.popleft())

    def _wanted(self) -> int:
        lately = min(self._demand.burst(time.monotonic()), self._most)
        if lately <= self._fewest or self._fewest == 0:
            return self._fewest
        # Those that are ready have their memory already.
        room = len(self._ready) + available_bytes() // _SHARE // _KERNEL_BYTES
        return max(self._fewest, min(lately, room))

    async def _next(self) -> Ready | None:
        while self._ready:
            folder, kernel = self._ready.popleft()
            if kernel.is_alive:
                return folder, kernel
            await _discard(folder, kernel)
        return None

    async def _make(self) -> Ready:
        account = self._workshop.launcher.account()
        folder = SessionFolder(self._root / secrets.token_hex(16), account.uid, is_ours=account.is_ours)
        try:
            await asyncio.to_thread(folder.make)
            return folder, await Kernel.start(self._workshop, folder)
        except BaseException:
            await asyncio.shield(folder.remove())
            raise


async def _discard(folder: SessionFolder, kernel: Kernel) -> None:
    await kernel.kill("was not wanted")
    await folder.remove()
