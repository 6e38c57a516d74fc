"""One running kernel: its processes and the connection to it, from its start to its end."""

import asyncio
from dataclasses import dataclass
from typing import NoReturn

import zmq.asyncio

from sandbox.errors import KernelFailed
from sandbox.folder import SessionFolder
from sandbox.launchers.base import Launched, Launcher
from sandbox.wire import Wire


@dataclass(frozen=True)
class Workshop:
    """What kernels are made with."""

    launcher: Launcher
    context: zmq.asyncio.Context
    start_seconds: float


class Kernel:
    """A kernel that answers. `ended` is done once nothing of it runs any more, with the reason in words."""

    def __init__(self, launched: Launched, wire: Wire, waiting: asyncio.Task[str]) -> None:
        self._launched = launched
        self.wire = wire
        self._reason: str | None = None
        self._waiting = waiting
        self.ended = asyncio.create_task(self._watch())
        self.ended.add_done_callback(lambda _: wire.close())

    @classmethod
    async def start(cls, workshop: Workshop, folder: SessionFolder) -> "Kernel":
        """Starts one on the folder and waits until it answers. Raises KernelFailed."""
        launched = await workshop.launcher.launch(folder)
        waiting = asyncio.create_task(launched.wait())
        wire = Wire(workshop.context, folder)
        connecting = asyncio.create_task(wire.connect(workshop.start_seconds))
        try:
            await asyncio.wait({waiting, connecting}, return_when=asyncio.FIRST_COMPLETED)
            if not connecting.done():
                _fail(waiting.result())
            connecting.result()
        except BaseException:
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)
            await launched.kill()
            await asyncio.gather(waiting, return_exceptions=True)
            wire.close()
            raise
        return cls(launched, wire, waiting)

    @property
    def pid_namespace(self) -> int | None:
        """Where its processes are to be found, if they are to be watched."""
        return self._launched.pid_namespace

    @property
    def is_alive(self) -> bool:
        """Whether it runs and can be talked to."""
        return not self.ended.done() and self._reason is None and not self.wire.broken.is_set()

    async def kill(self, reason: str) -> None:
        """Ends it at once; returns when nothing of it is left. The first reason is the one that is told."""
        self._reason = self._reason or reason
        await self._launched.kill()
        await asyncio.wait({self.ended})

    async def _watch(self) -> str:
        try:
            reason = await self._waiting
        except Exception as error:  # noqa: BLE001 - whatever keeps us from knowing, it is of no more use
            reason = f"was lost ({error})"
        return self._reason or reason


def _fail(reason: str) -> NoReturn:
    raise KernelFailed(f"The kernel {reason} as it was started.")
