"""The writing side of the event log: order, numbering, and joining of text, against a real Redis."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from app import ids
from app.db.redis import create_redis
from app.events import START, EventLog, Place, RunEvent
from app.settings import Settings
from tests.stack import Stack
from workers.engine.event_writer import EventWriter


@pytest.fixture
async def redis(stack: Stack) -> AsyncIterator[Redis]:
    opened = create_redis(Settings(redis_url=stack.redis_url))
    yield opened
    await opened.aclose()


@pytest.fixture
async def log(redis: Redis) -> AsyncIterator[EventLog]:
    opened = EventLog(redis, Settings())
    yield opened
    await opened.close()


#: Text that can be stored, as all text of runs is (app.text).
_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
BEFORE, AFTER = b'{"value":', b"}"


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items=st.lists(st.one_of(st.none(), _TEXT), max_size=40), pauses=st.sets(st.integers(0, 40)))
async def test_events_come_in_order_and_no_text_is_lost(
    log: EventLog, items: list[str | None], pauses: set[int]
) -> None:
    """None is an event of its own, a text a delta; at `pauses` the writer gets its turn."""
    run_id = ids.new(ids.RUN)
    writer = EventWriter(log, lambda: 1)
    task = asyncio.create_task(writer.write_for_ever())
    mine = writer.open(run_id, 1)
    for at, item in enumerate(items):
        if item is None:
            mine.append(RunEvent("mark", b"{}"))
        else:
            mine.append_text(BEFORE, item, AFTER)
        if at in pauses:
            await asyncio.sleep(0)
    await writer.flush(5)
    task.cancel()
    told: list[str | None] = []
    place = START
    async with log.subscribe(run_id, START) as subscription:
        while items and (entries := await subscription.get(0.2)):
            for entry in entries:
                assert entry.place.follows(place)
                place = entry.place
                if entry.name == "mark":
                    told.append(None)
                else:
                    data = entry.frame.split(b"data: ", 1)[1]
                    value = orjson.loads(data)["value"]
                    if told and told[-1] is not None:
                        told[-1] += value
                    else:
                        told.append(value)
            if place.number and _joined(told) == _joined(items):
                break
    assert _joined(told) == _joined(items)


def _joined(items: list[str | None]) -> list[str | None]:
    joined: list[str | None] = []
    for item in items:
        if item is not None and joined and joined[-1] is not None:
            joined[-1] += item
        else:
            joined.append(item)
    return joined


async def test_a_writer_that_lost_its_run_cannot_add_to_the_log(log: EventLog) -> None:
    run_id = ids.new(ids.RUN)
    await log.append(run_id, 1, [RunEvent("a", b"{}")])
    await log.append(run_id, 2, [RunEvent("b", b"{}")])
    await log.append(run_id, 1, [RunEvent("stale", b"{}")], first=2)
    await log.append(run_id, 2, [RunEvent("b again", b"{}")])
    async with log.subscribe(run_id, START) as subscription:
        entries = await subscription.get(1)
    assert [(entry.place, entry.name) for entry in entries] == [(Place(1, 1), "a"), (Place(2, 1), "b")]


async def test_a_late_subscriber_wakes_the_tail(log: EventLog) -> None:
    first, second = ids.new(ids.RUN), ids.new(ids.RUN)
    async with log.subscribe(first, START), log.subscribe(second, START) as subscription:
        await log.append(second, 1, [RunEvent("a", b"{}")])
        (entry,) = await subscription.get(2)
        assert entry.name == "a"


async def test_a_slow_reader_gets_everything(log: EventLog) -> None:
    run_id = ids.new(ids.RUN)
    await log.append(run_id, 1, [RunEvent(f"e{n}", b"{}") for n in range(5000)])
    names: list[str] = []
    async with log.subscribe(run_id, START) as subscription:
        await asyncio.sleep(0.05)
        while len(names) < 5000 and (entries := await subscription.get(2)):
            names += [entry.name for entry in entries]
    assert names == [f"e{n}" for n in range(5000)]


async def test_the_reader_survives_an_emptied_redis(log: EventLog, redis: Redis) -> None:
    run_id = ids.new(ids.RUN)
    async with log.subscribe(run_id, START) as subscription:
        await redis.flushall()
        await log.append(run_id, 1, [RunEvent("a", b"{}")])
        (entry,) = await subscription.get(3)
        assert entry.name == "a"


@pytest.mark.parametrize("text", ["", "1", "a-1", "1-", "-1", "1-²", "99999999999999999999-1"])
def test_places_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="not an event id"):
        Place.parse(text)
