"""All sessions of a host: opened by key, ended when they have been idle for long, or to make room for others."""

import asyncio
import contextlib
from typing import Final

import structlog

from app.settings import SandboxSettings
from sandbox.errors import SandboxError, SessionLost, SessionsBusy
from sandbox.execution import Allowance, Execution
from sandbox.host_folder import HostFolder
from sandbox.kernel import Workshop
from sandbox.limits import Limits
from sandbox.session import Session
from sandbox.warm import WarmKernels

_log = structlog.get_logger()

#: How often idle sessions are looked for, at most.
_LONGEST_ROUND: Final = 10.0


class Sessions:
    """The sessions of one host. `open` before anything else, `close` in the end."""

    def __init__(self, settings: SandboxSettings, folder: HostFolder, workshop: Workshop) -> None:
        self._settings = settings
        self._workshop = workshop
        self._limits = Limits.of(settings)
        self._sessions: dict[str, Session] = {}
        self._opening: dict[str, asyncio.Task[Session]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self.warm = WarmKernels(workshop, folder.sessions, settings.sandbox_warm, settings.sandbox_max_sessions)

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def all(self) -> list[Session]:
        """Those that are open."""
        return list(self._sessions.values())

    async def open(self, key: str) -> tuple[Session, bool]:
        """The session of the key, and whether it has just been made. Raises SessionsBusy, KernelFailed."""
        for session in self._sessions.values():
            if session.key == key:
                session.touch()
                return session, False
        opening = self._opening.get(key)
        is_first = opening is None
        if opening is None:
            opening = asyncio.create_task(self._open(key), name="opening of a session")
            self._opening[key] = opening
            opening.add_done_callback(lambda _: self._opening.pop(key))
        # Whoever asked first may go away; others wait for the same.
        return await asyncio.shield(opening), is_first

    def get(self, session_id: str) -> Session:
        """An open session. Raises SessionLost."""
        session = self._sessions.get(session_id)
        if session is None:
            raise SessionLost("There is no such session: it has been idle for too long, or the sandbox was restarted.")
        session.touch()
        return session

    def execute(self, session_id: str, code: str, seconds: float | None) -> Execution:
        """Has code run in a session, for no longer than the settings allow. Raises SessionLost."""
        settings = self._settings
        most = settings.sandbox_execution_seconds
        allowance = Allowance(
            min(seconds, most) if seconds is not None else most,
            settings.sandbox_grace_seconds,
            settings.sandbox_output_bytes,
            settings.sandbox_image_bytes,
        )
        return self.get(session_id).execute(code, allowance)

    async def end(self, session: Session) -> None:
        """Ends a session: from now on it is lost."""
        self._sessions.pop(session.id, None)
        task = asyncio.create_task(self._close(session), name=f"end of {session.id}")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        await asyncio.shield(task)

    async def close(self) -> None:
        """Ends all."""
        background = list(self._opening.values())
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await asyncio.gather(*(self.end(session) for session in self.all), *self._ending, self.warm.close())

    async def _open(self, key: str) -> Session:
        while len(self._sessions) + len(self._opening) > self._settings.sandbox_max_sessions:
            await self._make_room()
        folder, kernel = await self.warm.take()
        session = Session(key, folder, kernel, self._workshop, self._limits)
        self._sessions[session.id] = session
        return session

    async def _make_room(self) -> None:
        idle = [session for session in self._sessions.values() if not session.is_busy]
        if not idle:
            raise SessionsBusy(f"All {self._settings.sandbox_max_sessions} sessions of the sandbox are at work.")
        oldest = max(idle, key=lambda session: session.idle_seconds)
        _log.info("a session was ended to make room", session=oldest.id, idle_seconds=round(oldest.idle_seconds))
        await self.end(oldest)

    async def end_idle(self) -> None:
        """Ends sessions that have been idle for too long. Never returns."""
        most = self._settings.sandbox_idle_seconds
        while True:
            await asyncio.sleep(min(most / 4, _LONGEST_ROUND))
            for session in self.all:
                if session.idle_seconds > most:
                    await self.end(session)

    async def _close(self, session: Session) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            try:
                await session.close()
            except (SandboxError, OSError) as error:
                _log.warning("a session left something behind", session=session.id, error=str(error))
