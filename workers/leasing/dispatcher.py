"""Takes waiting work into this process, as much as it has room for, and does each piece in a task of its own."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import Sessions, autocommit
from app.errors import in_brief
from app.signals import Signals, of
from workers.leasing.leases import Leases

log = structlog.get_logger()

#: Claimed in one transaction. Whatever waits beyond that is for the next nudge, which any worker may hear.
_CLAIMED_AT_ONCE: Final = 16
#: A worker that has heard no nudge for so long looks for work by itself.
_UNHEARD_SECONDS: Final = 5.0

ClaimT = TypeVar("ClaimT")


class Source(Protocol[ClaimT]):
    """Where work of one kind comes from, and how a piece of it is done."""

    async def claim(self, session: AsyncSession, limit: int) -> Sequence[ClaimT]:
        """Takes at most `limit` pieces that wait, in one statement."""

    def name(self, claim: ClaimT) -> str:
        """Returns what the task is called that works on `claim`."""

    async def work(self, claim: ClaimT) -> None:
        """Works on what was claimed until it ends, pauses or is interrupted."""

    async def nudge(self, signals: Signals) -> None:
        """Tells the workers that more is waiting."""


class Dispatcher(Generic[ClaimT]):
    """Between the queue and the work. One per process, on its event loop."""

    def __init__(self, sessions: Sessions, leases: Leases[Any], source: Source[ClaimT], concurrency: int) -> None:
        self._sessions = sessions
        self._leases = leases
        self._source = source
        self._room = asyncio.Semaphore(concurrency)
        self._under_way: set[asyncio.Task[None]] = set()
        self._claiming = asyncio.Lock()
        self._looked_at = time.monotonic()

    async def look_for_ever(self) -> None:
        """Looks for work where no nudge comes: a silent queue, or a lost connection, then costs seconds."""
        while True:
            await asyncio.sleep(_UNHEARD_SECONDS)
            if time.monotonic() - self._looked_at >= _UNHEARD_SECONDS:
                await self.take()

    async def take(self) -> None:
        """Answers a nudge: claims what waits and begins to work on it; returns without waiting for its end.

        While the process is full it waits for room, and so keeps further nudges for other workers.
        """
        async with self._claiming:
            await self._room.acquire()
            taken = 1
            while taken < _CLAIMED_AT_ONCE and not self._room.locked():
                await self._room.acquire()
                taken += 1
            begun = 0
            self._looked_at = time.monotonic()
            try:
                begun = await self._begin(taken)
            finally:
                for _ in range(taken - begun):
                    self._room.release()

    async def _begin(self, limit: int) -> int:
        if self._leases.is_stopping:
            return 0
        try:
            # One statement, so no transaction around it.
            async with autocommit(self._sessions) as session:
                claims = await self._source.claim(session, limit)
                signals = of(session)
        except (SQLAlchemyError, OSError) as error:
            # The work waits on: the sweep nudges again.
            log.warning("claim_failed", error=in_brief(error))
            return 0
        for claim in claims:
            task = asyncio.create_task(self._source.work(claim), name=self._source.name(claim))
            self._under_way.add(task)
            task.add_done_callback(self._ended)
        if len(claims) == limit:
            await self._source.nudge(signals)
        return len(claims)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._room.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("work_broke", exc_info=error)

    async def join(self) -> None:
        """Waits until all work has been handed back, once the leases have been told to stop."""
        async with self._claiming:
            await asyncio.gather(*self._under_way, return_exceptions=True)
