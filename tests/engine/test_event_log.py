"""The reading side of the event log: several readers of one run on one connection, against a real Redis."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from app import events, ids
from app.db.redis import create_redis
from app.events import START, EventLog, Place, RunEvent, Subscription, key
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
        await log.forget([run_id])


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
    await log.forget([run_id])


async def test_a_log_that_does_not_begin_is_not_waited_for_in_vain(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_BEGINNING_MS", 1)
    async with asyncio.timeout(30):
        await EventLog(redis, Settings()).wait_for_beginning(ids.new(ids.RUN), 0)


@pytest.mark.parametrize(("first", "name"), [(1, "mark"), (7, "mark"), (7, "thread.message.delta")])
async def test_a_log_expires_wherever_it_begins(redis: Redis, first: int, name: str) -> None:
    """Redis may have lost the log, and its writer may die after any entry."""
    run_id = ids.new(ids.RUN)
    await EventLog(redis, Settings()).append(run_id, 1, [RunEvent(name, b"{}")], first=first)
    assert 0 < await redis.ttl(key(run_id)) <= Settings().event_retention_seconds


async def test_a_log_that_is_written_to_is_kept_for_the_whole_time_from_then_on(redis: Redis) -> None:
    log = EventLog(redis, Settings())
    run_id = ids.new(ids.RUN)
    await log.append(run_id, 1, [RunEvent("mark", b"{}")])
    await redis.expire(key(run_id), 60)
    await log.append(run_id, 1, [RunEvent("mark", b"{}")], first=2)
    assert await redis.ttl(key(run_id)) > 60


async def test_one_failing_log_keeps_no_other_from_its_entries(redis: Redis) -> None:
    log = EventLog(redis, Settings())
    broken, fine = ids.new(ids.RUN), ids.new(ids.RUN)
    mark = RunEvent("mark", b"{}")
    await redis.set(key(broken), "no stream", ex=60)
    with pytest.raises(ResponseError):
        await log.append_all([(broken, Place(1, 1), mark), (fine, Place(1, 1), mark)])
    assert await log.read(fine) == [mark]


async def test_a_fenced_attempt_tells_no_more_and_the_next_begins_as_ever(redis: Redis) -> None:
    log = EventLog(redis, Settings())
    run_id = ids.new(ids.RUN)
    told, late, mark = (RunEvent(name, b"{}") for name in ("told", "late", "mark"))
    await log.append(run_id, 1, [told])
    await log.fence(run_id, 2)
    assert await log.read(run_id) == [told]
    await log.append(run_id, 1, [late], first=2)
    await log.append(run_id, 2, [mark])
    await log.fence(run_id, 2)  # an attempt that has begun is not held up by its own
    await log.append(run_id, 2, [mark], first=2)
    async with log.subscribe(run_id, START) as reader:
        assert await _places(reader, 3) == [Place(1, 1), Place(2, 1), Place(2, 2)]
    await log.close()


async def test_a_log_that_is_lost_or_sealed_is_not_made_by_a_fence(redis: Redis) -> None:
    log = EventLog(redis, Settings())
    lost, sealed = ids.new(ids.RUN), ids.new(ids.RUN)
    await log.append(sealed, 1, [RunEvent("mark", b"{}")])
    await log.forget([sealed])
    for run_id in (lost, sealed):
        await log.fence(run_id, 2)
        assert await log.read(run_id) == []
    assert not await redis.exists(key(lost))
    await log.append(sealed, 2, [RunEvent("mark", b"{}")])
    assert await log.read(sealed) == []


async def test_a_forgotten_run_leaves_nothing_and_takes_no_more(redis: Redis) -> None:
    """Its worker goes on for a moment; and most runs of an old thread have no log any more."""
    log = EventLog(redis, Settings())
    written, expired = ids.new(ids.RUN), ids.new(ids.RUN)
    mark = RunEvent("mark", b"{}")
    await log.append(written, 1, [mark, mark])
    await log.forget([written, expired])
    await log.append(written, 1, [mark], first=3)
    await log.append(written, 2, [mark])
    assert await log.read(written) == []
    assert await log.last_entry(written) is None
    assert 0 < await redis.ttl(key(written)) <= Settings().event_retention_seconds
    assert not await redis.exists(key(expired))


async def test_the_runs_of_a_thread_are_forgotten_together(redis: Redis) -> None:
    log = EventLog(redis, Settings())
    run_ids = [ids.new(ids.RUN) for _ in range(2000)]
    await log.append_all((run_id, Place(1, 1), RunEvent("mark", b"{}")) for run_id in run_ids)
    before = (await redis.info("commandstats"))["cmdstat_eval"]["calls"]
    await log.forget(run_ids)
    assert (await redis.info("commandstats"))["cmdstat_eval"]["calls"] <= before + len(run_ids) / 500
    assert [run_id for run_id in run_ids[::100] if await log.read(run_id)] == []
