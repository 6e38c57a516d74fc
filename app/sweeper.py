"""The sweep: finds what something forgot. Every process of Locum offers to do it; one at a time does.

It expires runs whose time is over, ends cancelled runs that no worker will end, and nudges the workers again for runs
that wait too long or whose worker is gone; for files that wait for their ingestion likewise. It empties vector stores
that have expired, and drops texts of which no file is left. Files and uploads that have expired go, and bytes that no
row owns. Idempotency keys are forgotten after a day. Where the settings say how long things are kept, it keeps to that.
What deleted projects had goes on to be removed.
"""

import asyncio
import time
from typing import Final

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app import pagination
from app.db.session import Sessions, transaction
from app.errors import in_brief
from app.queue import Queue
from app.services import documents, idempotency, ingestion_claims, run_sweep, store_expiry
from app.services.file_sweep import FileSweep
from app.services.project_removal import ProjectSweep
from app.services.prune_sweep import PruneSweep
from app.settings import Settings
from app.signals import of
from app.worker_kinds import INGESTION_QUEUE

log = structlog.get_logger()

_TIDY_EVERY: Final = 60.0


async def sweep_for_ever(
    sessions: Sessions, queue: Queue, files: FileSweep, pruning: PruneSweep, removal: ProjectSweep, settings: Settings
) -> None:
    """Sweeps every `settings.sweep_seconds`, whatever happens to the database or to Redis."""
    tidied = time.monotonic()
    while True:
        await asyncio.sleep(settings.sweep_seconds)
        try:
            await sweep(sessions, queue, files, settings)
            await pruning.sweep()
            await removal.sweep()
            if time.monotonic() > tidied + _TIDY_EVERY:
                tidied = time.monotonic()
                await _tidy(sessions)
        except (SQLAlchemyError, RedisError, OSError) as error:
            log.warning("sweep_failed", error=in_brief(error))


async def sweep(sessions: Sessions, queue: Queue, files: FileSweep, settings: Settings) -> None:
    """One sweep; does nothing while another process is at it."""
    while True:
        async with transaction(sessions) as session:
            if not await run_sweep.try_sweep_lock(session):
                return
            ended = await run_sweep.end_overdue(session)
            waiting = not ended and await run_sweep.has_waiting(session, settings.sweep_seconds)
        if not ended:
            break
        log.info("runs_ended_by_sweep", count=ended)
    if waiting and not await queue.depth():
        await of(session).nudge()
    await _sweep_vector_stores(sessions, queue)
    await files.sweep()


async def _sweep_vector_stores(sessions: Sessions, queue: Queue) -> None:
    async with transaction(sessions) as session:
        waiting = await ingestion_claims.has_waiting(session)
        emptied = await store_expiry.drop_expired(session)
    if waiting and not await queue.depth(INGESTION_QUEUE):
        await of(session).nudge_ingestion()
    while emptied:
        async with transaction(sessions) as session:
            emptied = await store_expiry.drop_expired(session)


async def _tidy(sessions: Sessions) -> None:
    """What costs more to look for than it costs to keep for a while."""
    dropped = True
    while dropped:
        async with transaction(sessions) as session:
            dropped = await run_sweep.try_sweep_lock(session) and bool(
                await documents.drop_unused(session)
                + await idempotency.drop_old(session)
                + await pagination.drop_old_places(session)
            )
