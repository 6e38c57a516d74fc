"""The order in which requests get their turns at a model that does one batch at a time."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable

import pytest

from app.embedded.inference import Inference, Window


class Model:
    """Gives the sum of each window's tokens; holds its batches back until it is let go on."""

    def __init__(self) -> None:
        self.batches: list[list[Window]] = []
        self.begun = threading.Semaphore(0)
        self.may_go_on = threading.Semaphore(0)

    def run(self, windows: list[Window]) -> list[int]:
        self.batches.append(windows)
        self.begun.release()
        assert self.may_go_on.acquire(timeout=10)
        if any(-1 in window for window in windows):
            raise ValueError("no such token")
        return [sum(window) for window in windows]

    async def let_go(self, batches: int = 1) -> None:
        for _ in range(batches):
            self.may_go_on.release()
            await asyncio.to_thread(self.begun.acquire, timeout=10)


@pytest.fixture
def model() -> Model:
    return Model()


Ask = Callable[[list[Window]], "asyncio.Task[list[int]]"]


@pytest.fixture
async def ask(model: Model) -> AsyncIterator[Ask]:
    """Starts a request; the first one is under way when it returns."""
    inference = Inference(model.run)
    tasks: list[asyncio.Task[list[int]]] = []

    def start(windows: list[Window]) -> asyncio.Task[list[int]]:
        tasks.append(asyncio.create_task(inference.rows(windows)))
        return tasks[-1]

    yield start
    model.may_go_on.release(1000)
    await asyncio.gather(*tasks, return_exceptions=True)
    inference.close()


def _long(windows: int, token: int = 1) -> list[Window]:
    return [[token] * 200 for _ in range(windows)]


async def test_rows_in_the_order_of_the_windows(model: Model, ask: Ask) -> None:
    model.may_go_on.release(100)
    windows = [[number] * (number % 7 + 1) * 20 for number in range(40)]
    assert await ask(windows) == [sum(window) for window in windows]
    assert all(len(batch) * max(map(len, batch)) <= 256 for batch in model.batches)
    assert len(model.batches) < 25
    assert await ask([]) == []


async def test_a_short_request_waits_for_one_batch(model: Model, ask: Ask) -> None:
    long = ask(_long(20))
    await asyncio.to_thread(model.begun.acquire)
    short = ask([[7, 7]])
    await asyncio.sleep(0)
    await model.let_go(2)
    assert await asyncio.wait_for(short, 10) == [14]
    assert len(model.batches) == 3
    assert not long.done()
    model.may_go_on.release(100)
    assert await long == [200] * 20


async def test_short_requests_share_a_batch(model: Model, ask: Ask) -> None:
    ask(_long(1))
    await asyncio.to_thread(model.begun.acquire)
    short = [ask([[number] * 10]) for number in range(20)]
    await asyncio.sleep(0)
    model.may_go_on.release(3)
    assert await asyncio.gather(*short) == [[10 * number] for number in range(20)]
    assert len(model.batches) == 2


async def test_a_long_request_gets_its_turns_among_short_ones(model: Model, ask: Ask) -> None:
    long = ask(_long(8))
    await asyncio.to_thread(model.begun.acquire)
    for _ in range(200):
        ask([[2] * 200])
    await asyncio.sleep(0)
    model.may_go_on.release(45)
    assert await asyncio.wait_for(long, 10) == [200] * 8


async def test_what_nobody_waits_for_is_dropped(model: Model, ask: Ask) -> None:
    long = ask(_long(50))
    await asyncio.to_thread(model.begun.acquire)
    long.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await long
    short = ask([[7]])
    model.may_go_on.release(2)
    assert await asyncio.wait_for(short, 10) == [7]
    assert len(model.batches) == 2


async def test_a_failure_is_told_and_ends_nothing_else(model: Model, ask: Ask) -> None:
    model.may_go_on.release(10)
    with pytest.raises(ValueError, match="no such token"):
        await ask([[-1]])
    assert await ask([[1]]) == [1]
