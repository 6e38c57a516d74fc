"""The limits that no system call holds back: what a session's processes use together, and what its files take up.

Looks at all sessions again and again, and ends the kernel of one that uses too much. What it may use beyond that is
what it can get hold of between two looks.
"""

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import structlog

from app.errors import in_brief
from sandbox import processes
from sandbox.budget import Budget, TooMuchToSee
from sandbox.host_folder import HostFolder
from sandbox.limits import Limits, megabytes
from sandbox.memory import of_machine
from sandbox.processes import Load
from sandbox.session import Session
from sandbox.sessions import Sessions
from sandbox.usage import Usage

T = TypeVar("T")

_log = structlog.get_logger()

_ROUND_SECONDS: Final = 0.5
#: In between it is looked at what of the disk is free, and of the machine's memory where that is not limited; where so
#: much has gone since the last look, the next is taken.
_GLANCE_SECONDS: Final = 0.1
#: While code is at work. It writes a gigabyte a second, and makes 50,000 files.
_BUSY_GLANCE_SECONDS: Final = 0.02
_HASTY_BYTES: Final = 32 * 2**20
_HASTY_FILES: Final = 1000
#: Files of a session in which nothing runs are counted every so many rounds.
_IDLE_ROUNDS: Final = 20
#: Of the disk that the files lie on; where less is left, whoever is at work is ended.
_FREE_BYTES: Final = 256 * 2**20
#: Of processor time, for one closer look at one session.
_CLOSER_SECONDS: Final = 1.0
#: Looks at several sessions at once; one that has much to look at keeps none of the others waiting.
_LOOKERS: Final = 4
_UNSEEN: Final = "was killed: it had more processes, mappings and open files than can be looked at"
#: Looks that take so long, or do not come, are trouble.
_SILENT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class _Room:
    """What is free. A file system without a number of files says that none are."""

    disk_bytes: int
    files: int
    memory_bytes: int

    def has_shrunk_since(self, before: "_Room") -> bool:
        """Whether so much is gone that it is worth a look."""
        return (
            before.disk_bytes - self.disk_bytes > _HASTY_BYTES
            or before.files - self.files > _HASTY_FILES
            or before.memory_bytes - self.memory_bytes > _HASTY_BYTES
        )


class Watch:
    """`keep` watching until cancelled."""

    def __init__(self, sessions: Sessions, folder: HostFolder, limits: Limits, *, is_limited: bool) -> None:
        """`is_limited`: memory and processes are held by the launcher, and are not looked at."""
        self._sessions = sessions
        self._folder = folder
        self._limits = limits
        self._is_limited = is_limited
        self._round = 0
        self._closer: dict[str, asyncio.Task[None]] = {}
        self._lookers = ThreadPoolExecutor(_LOOKERS, "watch")
        self._looked = time.monotonic()
        self._failed: str | None = None

    @property
    def troubles(self) -> list[str]:
        """Why limits may not be kept at the moment."""
        silent = time.monotonic() - self._looked
        found = [f"the watch has not looked for {silent:.0f} seconds"] if silent > _SILENT_SECONDS else []
        return [*found, self._failed] if self._failed else found

    async def keep(self) -> None:
        """Never returns; what goes wrong in one look is told, and the next is taken."""
        try:
            looked_for = 0.0
            while True:
                await self._rest(looked_for)
                begun = time.monotonic()
                try:
                    await self.look()
                    self._failed = None
                except Exception as error:  # noqa: BLE001 - the next look may well succeed
                    self._failed = f"the watch over the sessions fails: {in_brief(error)}"
                    _log.exception("the watch over the sessions failed")
                self._looked = time.monotonic()
                looked_for = self._looked - begun
                self._round += 1
        finally:
            for task in self._closer.values():
                task.cancel()
            await asyncio.gather(*self._closer.values(), return_exceptions=True)

    async def _rest(self, looked_for: float) -> None:
        """Until the next look: shorter where disk or memory fill so fast that too much would be gone by then, but never
        shorter than the last look took, whoever it is that fills them."""
        until = time.monotonic() + _ROUND_SECONDS
        before = self._room()
        least = looked_for
        while (left := until - time.monotonic()) > 0:
            is_busy = any(session.is_busy for session in self._sessions.all)
            glance = max(least, _BUSY_GLANCE_SECONDS if is_busy else _GLANCE_SECONDS)
            await asyncio.sleep(min(left, glance))
            least = 0.0
            if self._room().has_shrunk_since(before):
                return

    def _room(self) -> "_Room":
        disk = os.statvfs(self._folder.sessions)
        memory = 0 if self._is_limited else of_machine()
        return _Room(disk.f_bavail * disk.f_frsize, disk.f_favail, memory)

    def close(self) -> None:
        """Lets go of its threads, once it is no longer kept."""
        self._lookers.shutdown(wait=False, cancel_futures=True)

    async def look(self) -> None:
        """Looks at all sessions once: at what is cheap to see, and has what is not looked at beside that."""
        sessions = self._sessions.all
        seen = await asyncio.to_thread(self._see, sessions)
        for session in sessions:
            is_due = session.is_busy or self._round % _IDLE_ROUNDS == 0
            pids, load = seen.get(session.id, ([], None))
            if is_due or (load is not None and self._too_much(load)):
                self._look_closer(session, pids, load)
        await self._look_at_disk()

    def _see(self, sessions: list[Session]) -> dict[str, tuple[list[int], Load]]:
        namespaces = {session.id: session.kernel.pid_namespace for session in sessions}
        found = processes.by_namespace({namespace for namespace in namespaces.values() if namespace is not None})
        # The two processes that bubblewrap adds are not the code's.
        most = self._limits.processes + 2
        return {
            session_id: (found[namespace], processes.load(found[namespace], most))
            for session_id, namespace in namespaces.items()
            if namespace is not None
        }

    def _too_much(self, load: Load) -> str | None:
        if self._is_limited:
            return None
        limits = self._limits
        if load.memory_bytes > limits.memory_bytes:
            return f"was killed: it used more than {megabytes(limits.memory_bytes)} of memory"
        if load.processes > limits.processes + 2:
            return f"was killed: it had more than {limits.processes} processes"
        return None

    def _look_closer(self, session: Session, pids: list[int], load: Load | None) -> None:
        """Begins a closer look at a session, unless one is under way."""
        if session.id not in self._closer:
            task = asyncio.create_task(self._closer_look(session, pids, load), name="closer look")
            self._closer[session.id] = task
            task.add_done_callback(lambda _: self._closer.pop(session.id))

    async def _closer_look(self, session: Session, pids: list[int], load: Load | None) -> None:
        kernel = session.kernel
        try:
            if load is not None and self._too_much(load) and load.processes <= self._limits.processes + 2:
                load = await self._look_at(processes.shared_load, pids)
            reason = self._too_much(load) if load is not None else None
            hidden = 0 if reason else await self._look_at(processes.hidden_bytes, pids, self._folder.sessions)
            used = Usage(0, 0) if reason else await self._look_at(session.files.usage)
        except TooMuchToSee:
            reason = _UNSEEN
        except FileNotFoundError:
            # Its folder has just been removed, or its kernel is just being made.
            return
        except Exception:  # noqa: BLE001 - the next look may well succeed
            _log.exception("a closer look failed", session=session.id)
            return
        if reason == _UNSEEN:
            # Files, perhaps: those that were written last go.
            await kernel.kill(reason)
            await session.enforce_disk()
        elif reason:
            _log.info("a kernel was killed", session=session.id, reason=reason)
            await kernel.kill(reason)
        else:
            await self._compare(session, used, hidden)

    async def _look_at(self, look: Callable[..., T], *arguments: Any) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._lookers, lambda: look(*arguments, Budget(_CLOSER_SECONDS)))

    async def _compare(self, session: Session, used: Usage, hidden: int) -> None:
        used = Usage(used.bytes + hidden, used.entries)
        if session.files.is_too_much(used):
            _log.info("a session was trimmed", session=session.id, bytes=used.bytes, entries=used.entries)
            await session.enforce_disk()

    async def _look_at_disk(self) -> None:
        if self._room().disk_bytes > _FREE_BYTES:
            return
        for session in self._sessions.all:
            if session.is_busy and session.kernel.is_alive:
                _log.warning("a kernel was killed: the disk is almost full", session=session.id)
                await session.kernel.kill("was killed: the disk of the sandbox is almost full")
