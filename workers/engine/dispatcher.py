"""Takes waiting runs into this process, as many as it has room for, and executes each in a task of its own."""

import asyncio
import time
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.db.session import autocommit
from app.errors import in_brief
from app.services import run_claims
from app.signals import of
from workers.engine.execute import execute
from workers.engine.process import WorkerProcess
from workers.process import UNHEARD_SECONDS

log = structlog.get_logger()

#: Claimed in one transaction. Whatever waits beyond that is for the next nudge, which any worker may hear.
_CLAIMED_AT_ONCE: Final = 16


class Dispatcher:
    """Between the queue and the execution of runs. One a process, on its event loop."""

    def __init__(self, process: WorkerProcess) -> None:
        self._process = process
        self._room = asyncio.Semaphore(process.settings.worker_concurrency)
        self._executing: set[asyncio.Task[None]] = set()
        self._claiming = asyncio.Lock()
        self._looked_at = time.monotonic()

    async def listen(self) -> None:
        """Begins to look for runs where no nudge comes, until the process is closed."""
        self._process.keep("look for runs", self._look_for_ever)

    async def _look_for_ever(self) -> None:
        """A queue that is silent, or a nudge that a lost connection took with it, costs seconds."""
        while True:
            await asyncio.sleep(UNHEARD_SECONDS)
            if time.monotonic() - self._looked_at >= UNHEARD_SECONDS:
                await self.take()

    async def take(self) -> None:
        """Answers a nudge: claims waiting runs and begins to execute them; returns without waiting for their ends.

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
        process = self._process
        if process.leases.is_stopping:
            return 0
        try:
            # One statement, so no transaction around it.
            async with autocommit(process.sessions) as session:
                claims = await run_claims.claim(
                    session, process.settings.run_lease_seconds, limit, process.leases.count
                )
                signals = of(session)
        except (SQLAlchemyError, OSError) as error:
            # The runs wait on: the sweep nudges again.
            log.warning("claim_failed", error=in_brief(error))
            return 0
        for claim in claims:
            task = asyncio.create_task(execute(process, claim), name=claim.run.id)
            self._executing.add(task)
            task.add_done_callback(self._ended)
        if len(claims) == limit:
            await signals.nudge()
        return len(claims)

    async def finish(self) -> None:
        """Hands every run back to be resumed by another worker, and takes no more."""
        await self._process.drain()
        async with self._claiming:
            await asyncio.gather(*self._executing, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._executing.discard(task)
        self._room.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("execution_broke", exc_info=error)
