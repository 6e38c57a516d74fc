"""The limits that no system call holds back: what a session's processes use together, and what its files take up.

Looks at all sessions again and again, and ends the kernel of one that uses too much. What it may use beyond that is
what it can get hold of between two looks.
"""

import asyncio
import os
from typing import Final

import structlog

from sandbox import processes
from sandbox.host_folder import HostFolder
from sandbox.limits import Limits, megabytes
from sandbox.processes import Load
from sandbox.session import Session
from sandbox.sessions import Sessions

_log = structlog.get_logger()

_ROUND_SECONDS: Final = 0.5
#: Files of a session in which nothing runs are counted every so many rounds.
_IDLE_ROUNDS: Final = 20
#: Of the disk that the files lie on; where less is left, whoever is at work is ended.
_FREE_BYTES: Final = 256 * 2**20


class Watch:
    """`keep` watching until cancelled."""

    def __init__(self, sessions: Sessions, folder: HostFolder, limits: Limits) -> None:
        self._sessions = sessions
        self._folder = folder
        self._limits = limits
        self._round = 0

    async def keep(self) -> None:
        """Never returns; what goes wrong in one look is told, and the next is taken."""
        while True:
            await asyncio.sleep(_ROUND_SECONDS)
            try:
                await self.look()
            except Exception:  # noqa: BLE001 - the next look may well succeed
                _log.exception("the watch over the sessions failed")
            self._round += 1

    async def look(self) -> None:
        """Looks at all sessions once."""
        sessions = self._sessions.all
        loads = await asyncio.to_thread(self._loads, sessions)
        for session in sessions:
            if (load := loads.get(session.id)) and (reason := self._too_much(load)):
                _log.info("a kernel was killed", session=session.id, reason=reason)
                await session.kernel.kill(reason)
            elif session.is_busy or self._round % _IDLE_ROUNDS == 0:
                await self._look_at_files(session, load.hidden_bytes if load else 0)
        await self._look_at_disk()

    def _loads(self, sessions: list[Session]) -> dict[str, Load]:
        namespaces = {session.id: session.kernel.pid_namespace for session in sessions}
        found = processes.by_namespace({namespace for namespace in namespaces.values() if namespace is not None})
        return {
            session_id: processes.load(found[namespace], self._limits.memory_bytes, self._folder.sessions)
            for session_id, namespace in namespaces.items()
            if namespace is not None
        }

    def _too_much(self, load: Load) -> str | None:
        limits = self._limits
        if load.memory_bytes > limits.memory_bytes:
            return f"was killed: it used more than {megabytes(limits.memory_bytes)} of memory"
        # The two processes that bubblewrap adds are not the code's.
        if load.processes > limits.processes + 2:
            return f"was killed: it had more than {limits.processes} processes"
        return None

    async def _look_at_files(self, session: Session, hidden: int) -> None:
        used = await session.files.usage()
        if used.bytes + hidden > self._limits.disk_bytes or used.entries > self._limits.files:
            _log.info("a session was trimmed", session=session.id, bytes=used.bytes + hidden, entries=used.entries)
            await session.enforce_disk()

    async def _look_at_disk(self) -> None:
        disk = os.statvfs(self._folder.sessions)
        if disk.f_bavail * disk.f_frsize > _FREE_BYTES:
            return
        for session in self._sessions.all:
            if session.is_busy and session.kernel.is_alive:
                _log.warning("a kernel was killed: the disk is almost full", session=session.id)
                await session.kernel.kill("was killed: the disk of the sandbox is almost full")
