"""Background work is begun again whenever it ends, and what has ended of late is told."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from app.supervision import Supervisor


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    opened = Supervisor(first_back_off=0.01, well_seconds=0.05)
    yield opened
    await opened.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the supervisor tells nobody
            await asyncio.sleep(0.001)


class Work:
    """Breaks as often as it is told to, and then goes on for ever."""

    def __init__(self, breaks: int, error: BaseException | None) -> None:
        self.begun = 0
        self.ended = False
        self._breaks = breaks
        self._error = error

    async def __call__(self) -> None:
        self.begun += 1
        if self.begun > self._breaks:
            try:
                await asyncio.Event().wait()
            finally:
                self.ended = True
        if self._error is not None:
            raise self._error


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ValueError("no\nsuch"), "of ValueError: no"),
        (TimeoutError(), "of TimeoutError: TimeoutError"),
        (None, "it ended"),
        (asyncio.CancelledError(), "it was cancelled from inside"),
    ],
)
async def test_what_ends_is_begun_again_and_told(supervisor: Supervisor, error: BaseException, why: str) -> None:
    work = Work(3, error)
    supervisor.keep("work", work)
    await until(lambda: work.begun == 4)
    assert supervisor.restarts == {"work": 3}
    assert supervisor.troubles == [f"work was begun again 3 times, the last time because {why}"]
    await until(lambda: supervisor.trouble() is None)
    assert not work.ended
    await supervisor.close()
    assert work.ended


async def test_what_goes_on_breaking_is_in_trouble_and_is_tried_ever_less_often(supervisor: Supervisor) -> None:
    work = Work(1000, ValueError("no"))
    supervisor.keep("work", work)
    await until(lambda: work.begun == 4)
    begun = asyncio.get_running_loop().time()
    await until(lambda: work.begun == 5)
    assert asyncio.get_running_loop().time() - begun > 0.04
    assert supervisor.trouble() is not None


async def test_one_name_is_kept_once_and_can_be_ended(supervisor: Supervisor) -> None:
    work = Work(0, None)
    supervisor.keep("work", work)
    with pytest.raises(ValueError, match="work is kept already"):
        supervisor.keep("work", work)
    await until(lambda: work.begun)
    await supervisor.end("work")
    await supervisor.end("work")
    assert work.ended
    supervisor.keep("work", work)
    await until(lambda: work.begun == 2)


async def test_work_that_does_not_hear_at_first_that_it_is_to_end(supervisor: Supervisor) -> None:
    heard: list[int] = []

    async def work() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                heard.append(len(heard))
                if len(heard) > 1:
                    raise

    supervisor.keep("work", work)
    await asyncio.sleep(0)
    await supervisor.end("work")
    assert heard == [0, 1]
