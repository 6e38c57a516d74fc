"""What the rest of Locum is told once a transaction is committed: events, a nudge for the workers, a cancel.

All of it goes through Redis and none of it is the truth: what does not arrive is made good by the sweep, by the lease
renewal of the worker, or by the stream's look into the database. So a Redis that is away, or silent, costs time, never
a run.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import structlog
from kombu.exceptions import OperationalError
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import after_commit
from app.errors import in_brief
from app.events import EventLog, RunEvent
from app.queue import Queue

log = structlog.get_logger()

_CANCEL_CHANNEL = "locum:cancel"
_INGESTION_CHANNEL = "locum:cancel_ingestion"
_RETRY_SECONDS = 0.5
#: After so much silence Redis is asked whether it hears; and it has as long to answer.
_LISTEN_SECONDS = 3.0
#: For one signal: a request waits for it.
_PATIENCE = 2.0


class Signals:
    """The sending side, one a process. No method raises because Redis is away."""

    def __init__(self, redis: Redis, events: EventLog, queue: Queue) -> None:
        self._redis = redis
        self._events = events
        self._queue = queue

    async def events(self, run_id: str, attempt: int, events: list[RunEvent]) -> None:
        """Appends `events` to the log of a run as the first ones of `attempt`."""
        async with _may_be_lost("events_lost", run_id=run_id):
            await self._events.append(run_id, attempt, events)

    async def nudge(self) -> None:
        """Tells the workers that runs are waiting."""
        async with _may_be_lost("nudge_lost"):
            await self._queue.nudge()

    async def nudge_ingestion(self) -> None:
        """Tells the ingestion workers that files are waiting."""
        async with _may_be_lost("nudge_lost"):
            await self._queue.nudge_ingestion()

    async def stop_ingestion(self, store_id: str) -> None:
        """Tells the workers that ingest files of a vector store to look at once whether they still have them."""
        async with _may_be_lost("cancel_lost", vector_store_id=store_id):
            await self._redis.publish(_INGESTION_CHANNEL, store_id)

    async def stop(self, run_id: str) -> None:
        """Tells the worker that executes a run to look at the run's status at once."""
        async with _may_be_lost("cancel_lost", run_id=run_id):
            await self._redis.publish(_CANCEL_CHANNEL, run_id)

    async def forget(self, run_ids: Sequence[str], active: str | None) -> None:
        """Drops the event logs of deleted runs, and stops the worker of the one that was active."""
        if active is not None:
            await self.stop(active)
        async with _may_be_lost("forget_lost", run_ids=len(run_ids)):
            await self._events.forget(run_ids)


@asynccontextmanager
async def _may_be_lost(loss: str, **about: str | int) -> AsyncIterator[None]:
    """Logs `loss` if Redis is away, or takes too long."""
    try:
        async with asyncio.timeout(_PATIENCE):
            yield
    except (OperationalError, RedisError, OSError) as error:
        log.warning(loss, **about, error=in_brief(error))


def of(session: AsyncSession) -> Signals:
    """The signals of the process that opened `session` (app.db.session.create_sessions was given them)."""
    signals: Signals = session.info["signals"]
    return signals


def events_after_commit(session: AsyncSession, run_id: str, attempt: int, events: list[RunEvent]) -> None:
    """Appends `events` to the run's log when `session` is committed."""
    after_commit(session, partial(of(session).events, run_id, attempt, events))


def nudge_after_commit(session: AsyncSession) -> None:
    """Nudges the workers when `session` is committed."""
    after_commit(session, of(session).nudge)


def ingestion_after_commit(session: AsyncSession) -> None:
    """Nudges the ingestion workers when `session` is committed."""
    after_commit(session, of(session).nudge_ingestion)


def ingestion_stop_after_commit(session: AsyncSession, store_id: str) -> None:
    """Has the workers that ingest files of a store look at them when `session` is committed."""
    after_commit(session, partial(of(session).stop_ingestion, store_id))


def stop_after_commit(session: AsyncSession, run_id: str) -> None:
    """Stops the run's worker when `session` is committed."""
    after_commit(session, partial(of(session).stop, run_id))


def forget_after_commit(session: AsyncSession, run_ids: Sequence[str], active: str | None) -> None:
    """Drops what Redis holds of deleted runs, of which `active` was being executed, when `session` is committed."""
    after_commit(session, partial(of(session).forget, run_ids, active))


def stops(redis: Redis) -> AsyncIterator[str]:
    """The receiving side: ids of runs whose worker is to look at them, for ever."""
    return _heard(redis, _CANCEL_CHANNEL)


def ingestion_stops(redis: Redis) -> AsyncIterator[str]:
    """Ids of vector stores whose files' workers are to look at them, for ever."""
    return _heard(redis, _INGESTION_CHANNEL)


async def _heard(redis: Redis, name: str) -> AsyncIterator[str]:
    """What is published on a channel, for ever; survives a Redis that goes away or falls silent."""
    while True:
        try:
            async with redis.pubsub() as channel:
                await channel.subscribe(name)
                async for message in _answered(channel):
                    if message["type"] == "message":
                        yield message["data"].decode()
        except (RedisError, OSError) as error:
            log.warning("cancel_channel_away", error=in_brief(error))
            await asyncio.sleep(_RETRY_SECONDS)


async def _answered(channel: PubSub) -> AsyncIterator[Any]:
    """Everything that comes on a channel's connection, its confirmation first. Raises TimeoutError once it is silent.

    Where nothing is said, a channel and a dead connection look alike: so Redis is asked now and then.
    """
    is_asked = True
    while True:
        message = await channel.get_message(timeout=_LISTEN_SECONDS)
        if message is not None:
            is_asked = False
            yield message
        elif is_asked:
            raise TimeoutError("no answer on the channel")
        else:
            await channel.ping()
            is_asked = True
