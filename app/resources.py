"""What reaches everything outside of a process: the database, Redis, the event logs, the workers, the storage."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from app.db.redis import create_redis
from app.db.session import Sessions, create_engine, create_sessions
from app.events import EventLog
from app.queue import Queue, create_celery
from app.settings import Settings
from app.signals import Signals
from app.storage import Storage, create_storage
from app.supervision import Supervisor


@dataclass(frozen=True)
class Resources:
    """One of each, for a process that is no worker."""

    sessions: Sessions
    redis: Redis
    events: EventLog
    queue: Queue
    storage: Storage
    supervisor: Supervisor


@asynccontextmanager
async def open_resources(settings: Settings) -> AsyncIterator[Resources]:
    """Opens them, and closes them in the reverse order when the block is left."""
    async with AsyncExitStack() as closing:
        engine = create_engine(settings)
        closing.push_async_callback(engine.dispose)
        redis = create_redis(settings)
        closing.push_async_callback(redis.aclose)
        supervisor = Supervisor()
        closing.push_async_callback(supervisor.close)
        events = EventLog(redis, settings, supervisor)
        closing.push_async_callback(events.close)
        queue = Queue(create_celery(settings), redis)
        closing.callback(queue.close)
        sessions = create_sessions(engine, signals=Signals(redis, events, queue), image_urls=settings.image_urls)
        storage = create_storage(settings)
        closing.push_async_callback(storage.aclose)
        yield Resources(sessions, redis, events, queue, storage, supervisor)
