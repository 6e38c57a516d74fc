"""What one worker process holds, shared by all the runs it executes, and its life from start to drain."""

import asyncio
import os
import socket
from dataclasses import dataclass
from typing import Final, Self

import structlog
from celery import Celery
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.backends.embeddings import Embedder
from app.backends.routing import Backends
from app.db.redis import create_redis
from app.db.session import Sessions, create_engine, create_sessions
from app.events import EventLog
from app.queue import Queue, announce_worker, retire_worker
from app.settings import Settings
from app.signals import Signals
from app.sweeper import sweep_for_ever
from workers.engine.event_writer import EventWriter
from workers.engine.leases import Leases

log = structlog.get_logger()

_ANNOUNCED_SECONDS: Final = 10.0
_ANNOUNCE_EVERY: Final = 3.0


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """The parts of this process. Made and closed on its event loop."""

    name: str
    queue_name: str
    settings: Settings
    engine: AsyncEngine
    sessions: Sessions
    redis: Redis
    queue: Queue
    events: EventWriter
    backends: Backends
    embedder: Embedder
    leases: Leases
    background: list[asyncio.Task[None]]

    @classmethod
    async def start(cls, settings: Settings, celery: Celery, queue_name: str) -> Self:
        """Opens everything and begins the work in the background: lease renewal, sweep, announcement."""
        redis = create_redis(settings)
        event_log = EventLog(redis, settings)
        queue = Queue(celery, redis)
        engine = create_engine(settings)
        sessions = create_sessions(engine, signals=Signals(redis, event_log, queue))
        leases = Leases(sessions, redis, settings.run_lease_seconds)
        backends = Backends(settings)
        process = cls(
            name=f"{socket.gethostname()}:{os.getpid()}",
            queue_name=queue_name,
            settings=settings,
            engine=engine,
            sessions=sessions,
            redis=redis,
            queue=queue,
            events=EventWriter(event_log, lambda: leases.count),
            backends=backends,
            embedder=Embedder(settings, backends),
            leases=leases,
            background=[],
        )
        process.background.extend(
            asyncio.create_task(coroutine)
            for coroutine in (
                process.leases.renew_for_ever(),
                process.leases.listen_for_ever(),
                process.events.write_for_ever(),
                sweep_for_ever(sessions, queue, settings),
                process._announce_for_ever(),
            )
        )
        return process

    async def drain(self) -> None:
        """Hands every run back to be resumed by another worker, and takes no more."""
        await self._retire()
        await self.leases.stop()

    async def close(self) -> None:
        """Ends the work in the background and gives everything back."""
        await self.events.flush()
        for task in self.background:
            task.cancel()
        await asyncio.gather(*self.background, return_exceptions=True)
        await self._retire()
        await self.backends.close()
        await self.engine.dispose()
        await self.redis.aclose()

    async def _announce_for_ever(self) -> None:
        while True:
            try:
                await announce_worker(self.redis, self.name, _ANNOUNCED_SECONDS, self.queue_name)
            except RedisError as error:
                log.warning("announcement_lost", error=str(error))
            await asyncio.sleep(_ANNOUNCE_EVERY)

    async def _retire(self) -> None:
        try:
            await retire_worker(self.redis, self.name, self.queue_name)
        except RedisError as error:
            log.warning("announcement_lost", error=str(error))
