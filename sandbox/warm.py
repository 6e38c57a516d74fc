"""Kernels that are ready before they are wanted, each in a folder of its own."""

import asyncio
import secrets
from collections import deque
from pathlib import Path
from typing import Final

import structlog

from sandbox.errors import SandboxError
from sandbox.folder import SessionFolder
from sandbox.kernel import Kernel, Workshop

_log = structlog.get_logger()

#: After a kernel that did not come up, before the next is tried.
_BACK_OFF_SECONDS: Final = 5.0

Ready = tuple[SessionFolder, Kernel]


class WarmKernels:
    """Keeps `size` kernels ready. `take` one, or a new one where none is."""

    def __init__(self, workshop: Workshop, root: Path, size: int) -> None:
        self._workshop = workshop
        self._root = root
        self._size = size
        self._ready: deque[Ready] = deque()
        self._wanted = asyncio.Event()
        self._wanted.set()

    def __len__(self) -> int:
        return len(self._ready)

    @property
    def kernels(self) -> list[Kernel]:
        """Those that wait."""
        return [kernel for _, kernel in self._ready]

    async def take(self) -> Ready:
        """A folder without files and a kernel that has run nothing. Raises KernelFailed."""
        try:
            while self._ready:
                folder, kernel = self._ready.popleft()
                if kernel.is_alive:
                    return folder, kernel
                await _discard(folder, kernel)
        finally:
            self._wanted.set()
        return await self._make()

    async def close(self) -> None:
        """Ends them all, once none is made any more."""
        await asyncio.gather(*(_discard(*ready) for ready in self._ready))
        self._ready.clear()

    async def fill(self) -> None:
        """Makes kernels whenever there are too few. Never returns."""
        while True:
            await self._wanted.wait()
            while len(self._ready) < self._size:
                try:
                    self._ready.append(await self._make())
                except (SandboxError, OSError) as error:
                    _log.warning("a kernel did not come up", error=str(error))
                    await asyncio.sleep(_BACK_OFF_SECONDS)
            self._wanted.clear()

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
