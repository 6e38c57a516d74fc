"""The queue: a nudge for the workers. What is to be done stands in the database (docs/decisions/0002)."""

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Final

from celery import Celery
from kombu.entity import Queue as KombuQueue
from redis.asyncio import Redis

from app.db.keepalive import KEEPALIVE
from app.db.redis import COMMAND_SECONDS
from app.settings import Settings
from app.worker_kinds import INGESTION_QUEUE, RUNS_QUEUE

EXECUTE_RUN: Final = "runs.execute"
INGEST_FILE: Final = "vector_stores.ingest_file"

_WORKERS_KEY: Final = "locum:workers:{queue}"
#: What was learnt of the models of a server, by the time.
_LESSONS_KEY: Final = "locum:lessons:{server}"
_LESSON_SECONDS: Final = 86_400
_TROUBLE_KEY: Final = "locum:workers:{queue}:trouble:{name}"
#: What confines the parsers of a worker: JSON, see app.confinement.doors.Layers.
_LAYERS_KEY: Final = "locum:workers:{queue}:layers:{name}"


def create_celery(settings: Settings) -> Celery:
    """The Celery application of this process: senders and workers configure it alike."""
    celery = Celery("locum", broker=settings.celery_broker_url, set_as_current=False)
    celery.conf.update(
        task_default_queue=RUNS_QUEUE,
        task_queues=[KombuQueue(RUNS_QUEUE), KombuQueue(INGESTION_QUEUE)],
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        # A nudge that outlives its worker is worth nothing: the sweep finds the run.
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # What a Redis answers that cannot write (its disk is full, it became a replica) passes too.
        broker_channel_error_retry=True,
        broker_transport_options={
            "socket_connect_timeout": 2,
            "socket_timeout": COMMAND_SECONDS,
            "socket_keepalive": True,
            "socket_keepalive_options": KEEPALIVE,
            # A worker's wait for nudges has no time-out of its own: with this, one that is not answered is begun anew
            # on another connection after twice as long.
            "health_check_interval": COMMAND_SECONDS,
            # A sender does not wait for a Redis that is away: the sweep nudges again.
            "max_retries": 0,
            # Nor is it worth the two round trips that keeping it for acknowledgement costs.
            "ack_emulation": False,
        },
    )
    return celery


class Nudges:
    """The messages of one kind. While one is being sent, all that ask for another share the next."""

    def __init__(self, celery: Celery, task: str, queue: str) -> None:
        self._celery = celery
        self._task = task
        self._queue = queue
        self._sending = asyncio.Lock()
        self._next: asyncio.Task[None] | None = None

    async def send(self) -> None:
        """Returns when a message that was begun after this call has been sent."""
        if self._next is None:
            self._next = asyncio.create_task(self._send())
        await asyncio.shield(self._next)

    async def _send(self) -> None:
        async with self._sending:
            self._next = None
            await asyncio.to_thread(self._celery.send_task, self._task, queue=self._queue, retry=False)


class Queue:
    """The sending side. Its nudges raise kombu.exceptions.OperationalError if Redis is away."""

    def __init__(self, celery: Celery, redis: Redis) -> None:
        self._celery = celery
        self._redis = redis
        self._runs = Nudges(celery, EXECUTE_RUN, RUNS_QUEUE)
        self._ingestion = Nudges(celery, INGEST_FILE, INGESTION_QUEUE)

    async def nudge(self) -> None:
        """Tells the workers that runs are waiting; one that hears it takes as many as it has room for."""
        await self._runs.send()

    async def nudge_ingestion(self) -> None:
        """Tells the ingestion workers that files are waiting."""
        await self._ingestion.send()

    async def depth(self, queue: str = RUNS_QUEUE) -> int:
        """How many nudges no worker has taken yet."""
        return int(await self._redis.execute_command("LLEN", queue))

    def close(self) -> None:
        """Gives the connections back."""
        self._celery.close()


async def note_lesson(redis: Redis, server: str, model: str, lesson: str) -> None:
    """Keeps for a day what was learnt of a model, for `locum doctor` to tell."""
    key = _LESSONS_KEY.format(server=server)
    pipeline = redis.pipeline(transaction=True)
    pipeline.zadd(key, {f"{model}: {lesson}": time.time()})
    pipeline.zremrangebyscore(key, "-inf", time.time() - _LESSON_SECONDS)
    pipeline.expire(key, _LESSON_SECONDS)
    await pipeline.execute()


async def lessons(redis: Redis, server: str) -> list[str]:
    """What was learnt of the models of `server` lately, in words, oldest first."""
    since = time.time() - _LESSON_SECONDS
    found: list[bytes] = await redis.execute_command("ZRANGEBYSCORE", _LESSONS_KEY.format(server=server), since, "+inf")
    return [lesson.decode() for lesson in found]


async def announce_worker(
    redis: Redis,
    name: str,
    seconds: float,
    queue: str = RUNS_QUEUE,
    trouble: str | None = None,
    layers: Mapping[str, str] | None = None,
) -> None:
    """Says that worker `name` of `queue` lives, what its `trouble` is, and which `layers` confine its parsers; to be
    believed for `seconds`."""
    now = time.time()
    key, lasts = _WORKERS_KEY.format(queue=queue), round(1000 * seconds)
    told = {_TROUBLE_KEY: trouble, _LAYERS_KEY: None if layers is None else json.dumps(dict(layers))}
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.zadd(key, {name: now + seconds})
        pipeline.zremrangebyscore(key, "-inf", now)
        for pattern, value in told.items():
            own = pattern.format(queue=queue, name=name)
            pipeline.delete(own) if value is None else pipeline.set(own, value, px=lasts)
        await pipeline.execute()


async def retire_worker(redis: Redis, name: str, queue: str = RUNS_QUEUE) -> None:
    """Takes worker `name` of `queue` off the list."""
    await redis.zrem(_WORKERS_KEY.format(queue=queue), name)


async def troubles_of(redis: Redis, names: list[str], queue: str = RUNS_QUEUE) -> dict[str, str]:
    """Returns the troubles that workers of `queue` have announced, by their names."""
    return await _told_by(redis, names, queue, _TROUBLE_KEY)


async def layers_of(redis: Redis, names: list[str], queue: str = INGESTION_QUEUE) -> dict[str, dict[str, str]]:
    """Returns what confines the parsers of each worker of `queue` that has told it, by their names."""
    told = await _told_by(redis, names, queue, _LAYERS_KEY)
    return {name: json.loads(layers) for name, layers in told.items()}


async def _told_by(redis: Redis, names: list[str], queue: str, pattern: str) -> dict[str, str]:
    if not names:
        return {}
    keys = [pattern.format(queue=queue, name=name) for name in names]
    told: list[bytes | None] = await redis.execute_command("MGET", *keys)
    return {name: value.decode() for name, value in zip(names, told, strict=True) if value is not None}


async def live_workers(redis: Redis, queue: str = RUNS_QUEUE) -> list[str]:
    """The names of the workers of `queue` that have announced themselves lately."""
    key = _WORKERS_KEY.format(queue=queue)
    names: list[bytes] = await redis.execute_command("ZRANGEBYSCORE", key, time.time(), "+inf")
    return [name.decode() for name in names]
