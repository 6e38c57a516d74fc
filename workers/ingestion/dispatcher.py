"""Takes waiting files into this process, as many as it has room for, and ingests each in a task of its own."""

import asyncio
import time

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.db.session import autocommit
from app.errors import in_brief
from app.services import ingestion_claims
from app.services.ingestion_claims import Claim
from app.signals import ingestion_stops, of
from workers.ingestion.lease import Lease
from workers.ingestion.pipeline import ingest
from workers.ingestion.process import IngestionProcess
from workers.process import UNHEARD_SECONDS

log = structlog.get_logger()


class Dispatcher:
    """Between the queue and the ingestion of files. One a process, on its event loop."""

    def __init__(self, process: IngestionProcess) -> None:
        self._process = process
        self._room = asyncio.Semaphore(process.settings.ingestion_concurrency)
        self._under_way: dict[asyncio.Task[None], Lease] = {}
        self._claiming = asyncio.Lock()
        self._looked_at = time.monotonic()
        self._stopping = False

    async def take(self) -> None:
        """Answers a nudge: claims waiting files and begins to ingest them; returns without waiting for their ends.

        While the process is full it waits for room, and so keeps further nudges for other workers.
        """
        async with self._claiming:
            await self._room.acquire()
            taken = 1
            while not self._room.locked():
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
        if self._stopping:
            return 0
        seconds = self._process.settings.ingestion_lease_seconds
        try:
            # One statement, so no transaction around it.
            async with autocommit(self._process.sessions) as session:
                claims = await ingestion_claims.claim(session, seconds, limit)
                signals = of(session)
        except (SQLAlchemyError, OSError) as error:
            # The files wait on: the sweep nudges again.
            log.warning("claim_failed", error=in_brief(error))
            return 0
        for claim in claims:
            self._ingest(claim, seconds)
        if len(claims) == limit:
            await signals.nudge_ingestion()
        return len(claims)

    def _ingest(self, claim: Claim, seconds: float) -> None:
        lease = Lease(self._process.sessions, claim, seconds)
        task = asyncio.create_task(ingest(self._process, lease), name=f"{claim.vector_store_id}/{claim.file_id}")
        self._under_way[task] = lease
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self._room.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("ingestion_broke", exc_info=error)

    async def listen(self) -> None:
        """Begins to hear what becomes of files, and to look for files, until the process is closed."""
        self._process.keep("look for files", self._look_for_ever)
        self._process.keep("stops of ingestion", self._listen_for_ever)

    async def _look_for_ever(self) -> None:
        """As for runs: workers.engine.dispatcher."""
        while True:
            await asyncio.sleep(UNHEARD_SECONDS)
            if time.monotonic() - self._looked_at >= UNHEARD_SECONDS:
                await self.take()

    async def _listen_for_ever(self) -> None:
        """Looks at once at the files of a store from which some were taken, or whose ingestion was cancelled."""
        async for store_id in ingestion_stops(self._process.redis):
            for lease in self._under_way.values():
                if lease.claim.vector_store_id == store_id:
                    lease.look()

    async def finish(self) -> None:
        """Hands every file back to be gone on with by another worker, and takes no more."""
        self._stopping = True
        await self._process.retire()
        for lease in self._under_way.values():
            lease.stop()
        async with self._claiming:
            await asyncio.gather(*self._under_way, return_exceptions=True)
