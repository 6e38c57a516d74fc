"""A Redis that keeps its connections and says nothing, by itself or behind a network that holds what is sent."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import TimeoutError as RedisTimeoutError

from app import ids
from app.db.redis import COMMAND_SECONDS, create_redis
from app.events import START, EventLog, RunEvent
from app.settings import Settings
from app.signals import stops
from app.supervision import Supervisor
from tests.faults.network import before
from tests.faults.relay import Relay
from tests.stack import Stack
from workers.engine import event_writer
from workers.engine.event_writer import EventWriter

MARK = RunEvent("mark", b"{}")


@pytest.fixture(scope="module")
def network(stack: Stack) -> Iterator[tuple[Relay, str]]:
    """A network before Redis, and the URL to go through it."""
    with before(stack.redis_url) as (relay, port):
        yield relay, f"redis://127.0.0.1:{port}/0"


@pytest.fixture
async def redis(network: tuple[Relay, str]) -> AsyncIterator[Redis]:
    network[0].let_go()
    opened = create_redis(Settings(redis_url=network[1]))
    yield opened
    network[0].let_go()
    await opened.aclose()


async def test_a_silent_command_costs_seconds_and_those_that_follow_nothing(
    redis: Redis, network: tuple[Relay, str]
) -> None:
    await asyncio.gather(*(redis.execute_command("CLIENT", "ID") for _ in range(5)))
    network[0].silence()
    begun = time.monotonic()
    with pytest.raises(RedisTimeoutError):
        await redis.execute_command("PING")
    assert COMMAND_SECONDS - 1 < time.monotonic() - begun < COMMAND_SECONDS + 2
    begun = time.monotonic()
    await asyncio.gather(*(redis.execute_command("PING") for _ in range(5)))
    assert time.monotonic() - begun < 1


async def test_a_command_given_up_half_way_takes_the_idle_connections_with_it(
    redis: Redis, network: tuple[Relay, str]
) -> None:
    await asyncio.gather(*(redis.execute_command("CLIENT", "ID") for _ in range(5)))
    network[0].silence()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await redis.execute_command("PING")
    async with asyncio.timeout(1):
        await redis.execute_command("PING")


async def test_readers_and_listeners_whose_connections_fall_silent_find_new_ones(
    redis: Redis, network: tuple[Relay, str]
) -> None:
    log, run_id = EventLog(redis, Settings()), ids.new(ids.RUN)
    cancels = stops(redis)
    heard = asyncio.ensure_future(anext(cancels))
    try:
        async with log.subscribe(run_id, START) as subscription:
            await log.append(run_id, 1, [MARK])
            assert await subscription.get(2)
            network[0].silence()
            begun = time.monotonic()
            with pytest.raises(RedisTimeoutError):
                await log.append(run_id, 1, [MARK], first=2)
            await log.append(run_id, 1, [MARK], first=2)
            (entry,) = await subscription.get(15)
            assert entry.place.number == 2
            while not heard.done():
                await redis.publish("locum:cancel", run_id)
                await asyncio.wait([heard], timeout=0.1)
            assert await heard == run_id
            assert time.monotonic() - begun < 15
    finally:
        heard.cancel()
        await asyncio.gather(heard, return_exceptions=True)
        await cancels.aclose()  # type: ignore[attr-defined]
        await log.close()


async def test_what_waits_for_a_silent_redis_is_bounded(
    redis: Redis, network: tuple[Relay, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_writer, "MAX_WAITING", 100)
    log, run_id = EventLog(redis, Settings()), ids.new(ids.RUN)
    writer, supervisor = EventWriter(log, lambda: 1), Supervisor()
    supervisor.keep("event writer", writer.write_for_ever)
    mine = writer.open(run_id, 1)
    mine.append(MARK)
    await writer.flush(5)
    network[0].hold()
    try:
        mine.append(MARK)
        await asyncio.sleep(0)  # it is on its way
        for _ in range(1000):
            mine.append(MARK)
        assert writer.waiting <= 101
        begun = time.monotonic()
        await writer.flush(0.3)
        assert 0.2 < time.monotonic() - begun < 2
    finally:
        network[0].let_go()
    await writer.flush(15)
    assert writer.waiting == 0
    names = await log.read(run_id)
    assert 2 <= len(names) <= 103
    async with log.subscribe(run_id, START) as subscription:
        entries = await subscription.get(2)
    places = [entry.place.number for entry in entries]
    assert places[:2] == [1, 2]
    assert places[-1] == 1002
    assert len(places) < 200, "readers see by the numbers that something is missing"
    await supervisor.close()
    await log.close()


async def test_text_that_joins_one_delta_counts(
    redis: Redis, network: tuple[Relay, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_writer, "MAX_WAITING_BYTES", 10_000)
    writer = EventWriter(EventLog(redis, Settings()), lambda: 1)
    first, second = writer.open(ids.new(ids.RUN), 1), writer.open(ids.new(ids.RUN), 1)
    for _ in range(100):
        first.append_text(b"{", "word " * 10, b"}")
    second.append(MARK)
    assert writer.waiting == 2
    for _ in range(200):
        first.append_text(b"{", "word " * 10, b"}")
    assert first.number > 0
    assert writer.waiting <= 2
