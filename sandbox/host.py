"""A running host: launcher, sessions and the watch over them, from start to end."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import structlog
import zmq.asyncio

from app.settings import SandboxSettings
from app.supervision import Supervisor
from sandbox.host_folder import HostFolder
from sandbox.kernel import Workshop
from sandbox.launchers import create_launcher
from sandbox.launchers.base import Launcher
from sandbox.limits import Limits
from sandbox.sessions import Sessions
from sandbox.watch import Watch

_log = structlog.get_logger()

#: Each kernel has three connections, each with a monitor of its own.
_SOCKETS_OF_A_KERNEL = 9


@dataclass(frozen=True)
class Host:
    """What routes work with."""

    settings: SandboxSettings
    launcher: Launcher
    sessions: Sessions
    supervisor: Supervisor
    watch: Watch

    @property
    def troubles(self) -> list[str]:
        """What of the host's work in the background does not go on as it should."""
        return [*self.supervisor.troubles, *self.watch.troubles]

    def stats(self) -> dict[str, Any]:
        """Figures for an operator."""
        sessions = self.sessions.all
        return {
            "launcher": self.launcher.name,
            "sessions": len(sessions),
            "busy": sum(session.is_busy for session in sessions),
            "executions": sum(session.executions for session in sessions),
            "max_sessions": self.settings.sandbox_max_sessions,
            "warm": len(self.sessions.warm),
            "held": dict(self.launcher.held()),
            "lacks": dict(self.launcher.lacks()),
            "troubles": self.troubles,
            "restarts": self.supervisor.restarts,
        }


@contextlib.asynccontextmanager
async def run_host(settings: SandboxSettings) -> AsyncIterator[Host]:
    """A host, ready to be asked. Raises CannotLaunch where no code can be run here; leaves nothing running."""
    limits = Limits.of(settings)
    folder = HostFolder(settings)
    launcher = create_launcher(settings)
    async with folder.held(), _closing(launcher):
        with zmq.asyncio.Context() as context:
            kernels = settings.sandbox_max_sessions + max(settings.sandbox_warm, settings.sandbox_max_sessions)
            context.set(zmq.MAX_SOCKETS, max(1023, 2 * kernels * _SOCKETS_OF_A_KERNEL))
            await launcher.prepare()
            _log.info("sandbox ready", launcher=launcher.name, **{f"held_{k}": v for k, v in launcher.held().items()})
            for what, why in launcher.lacks().items():
                _log.warning("a line of defence does not hold here", what=what, why=why)
            sessions = Sessions(settings, folder, Workshop(launcher, context, settings.sandbox_start_seconds))
            watch = Watch(sessions, folder, limits, is_limited=launcher.is_limited)
            supervisor = Supervisor()
            supervisor.keep("watch", watch.keep)
            supervisor.keep("warm kernels", sessions.warm.keep)
            supervisor.keep("end of idle sessions", sessions.end_idle)
            try:
                yield Host(settings, launcher, sessions, supervisor, watch)
            finally:
                await supervisor.close()
                watch.close()
                await sessions.close()


@contextlib.asynccontextmanager
async def _closing(launcher: Launcher) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await launcher.close()
