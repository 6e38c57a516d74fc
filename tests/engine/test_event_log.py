"""The reading side of the event log: several readers of one run on one connection, against a real Redis."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from redis.asyncio import Redis

from app import events, ids
from app.db.redis import create_redis
from app.events import START, EventLog, Place, RunEvent, Subscription
from app.settings import Settings
from tests.stack import Stack


@pytest.fixture
async def redis(stack: Stack) -> AsyncIterator[Redis]:
    opened = create_redis(Settings(redis_url=stack.redis_url))
    yield opened
    await opened.aclose()


class LogWithAnInterlude(EventLog):
    """Lets something happen between a reader's joining and the tail's hearing of it."""

    interlude: Callable[[], Awaitable[None]] | None = None

    async def wake(self) -> None:
        if self.interlude is not None:
            interlude, self.interlude = self.interlude, None
            await interlude()
        await super().wake()


async def _places(reader: Subscription, count: int) -> list[Place]:
    places: list[Place] = []
    while len(places) < count:
        entries = await reader.get(5)
        assert entries, f"nothing came after {places}"
        places.extend(entry.place for entry in entries)
    return places


async def test_a_reader_that_joins_behind_another_misses_nothing(redis: Redis) -> None:
    log = LogWithAnInterlude(redis, Settings())
    run_id = ids.new(ids.RUN)
    mark = RunEvent("mark", b"{}")
    await log.append(run_id, 1, [mark, mark])
    try:
        async with log.subscribe(run_id, Place(1, 2)) as ahead:

            async def one_more() -> None:
                await log.append(run_id, 1, [mark], first=3)
                assert await _places(ahead, 1) == [Place(1, 3)]

            log.interlude = one_more
            async with log.subscribe(run_id, START) as behind:
                assert await _places(behind, 3) == [Place(1, 1), Place(1, 2), Place(1, 3)]
    finally:
        await log.close()
        await log.forget(run_id)


async def test_a_log_is_waited_for_until_it_has_begun(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_BEGINNING_MS", 60_000)
    monkeypatch.setattr(events, "_PATIENCE", 60)
    log = EventLog(redis, Settings())
    run_id = ids.new(ids.RUN)
    waiting = asyncio.create_task(log.wait_for_beginning(run_id, 0))
    await log.append(run_id, 0, [RunEvent("mark", b"{}")])
    async with asyncio.timeout(30):
        await waiting
        await log.wait_for_beginning(run_id, 0)
    await log.forget(run_id)


async def test_a_log_that_does_not_begin_is_not_waited_for_in_vain(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_BEGINNING_MS", 1)
    async with asyncio.timeout(30):
        await EventLog(redis, Settings()).wait_for_beginning(ids.new(ids.RUN), 0)
