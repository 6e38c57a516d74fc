"""The sweep: finds the runs that something forgot. Every process of Locum offers to do it; one at a time does.

It expires runs whose time is over, ends cancelled runs that no worker will end, and nudges the workers again for runs
that wait too long or whose worker is gone.
"""

import asyncio

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app.db.session import Sessions, transaction
from app.queue import Queue
from app.services import run_claims
from app.settings import Settings
from app.signals import of

log = structlog.get_logger()


async def sweep_for_ever(sessions: Sessions, queue: Queue, settings: Settings) -> None:
    """Sweeps every `settings.sweep_seconds`, whatever happens to the database or to Redis."""
    while True:
        await asyncio.sleep(settings.sweep_seconds)
        try:
            await sweep(sessions, queue, settings)
        except (SQLAlchemyError, RedisError, OSError) as error:
            log.warning("sweep_failed", error=str(error).splitlines()[0])


async def sweep(sessions: Sessions, queue: Queue, settings: Settings) -> None:
    """One sweep; does nothing while another process is at it."""
    while True:
        async with transaction(sessions) as session:
            if not await run_claims.try_sweep_lock(session):
                return
            ended = await run_claims.end_overdue(session)
            waiting = 0 if ended else await run_claims.count_waiting(session, settings.sweep_seconds)
        if not ended:
            break
        log.info("runs_ended_by_sweep", count=ended)
    if waiting and not await queue.depth():
        await of(session).nudge()
