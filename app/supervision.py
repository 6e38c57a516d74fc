"""Work in the background that goes on for as long as the process does: what ends or raises is begun again.

A task that nobody awaits takes its error with it: the process looks alive, and one of its organs is dead. So all of it
is kept by a `Supervisor`, whose `troubles` `/readyz` tells.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from app.errors import in_brief

log = structlog.get_logger()

Work = Callable[[], Coroutine[Any, Any, None]]

_FIRST_BACK_OFF: Final = 0.2
_LAST_BACK_OFF: Final = 30.0
_HEARD_SECONDS: Final = 0.5
#: Work that has gone on for so long since it was last begun is well again.
_WELL_SECONDS: Final = 10.0


class Supervisor:
    """Keeps the background work of one process, or of a part of it. To be used on one event loop."""

    def __init__(self, first_back_off: float = _FIRST_BACK_OFF, well_seconds: float = _WELL_SECONDS) -> None:
        self._first_back_off = first_back_off
        self._well_seconds = well_seconds
        self._kept: dict[str, _Kept] = {}

    def keep(self, name: str, work: Work) -> None:
        """Begins `work()`, which never ends by itself, and begins it again whenever it does.

        Raises ValueError if something of that name is kept already.
        """
        if name in self._kept:
            raise ValueError(f"{name} is kept already")
        self._kept[name] = _Kept(name, work, self._first_back_off, self._well_seconds)

    async def end(self, name: str) -> None:
        """Ends one piece of work; returns when it has ended. Nothing happens if it is not kept."""
        kept = self._kept.pop(name, None)
        if kept is not None:
            await kept.end()

    async def close(self) -> None:
        """Ends all of it, what was begun last first; returns when it has ended."""
        for name in reversed(list(self._kept)):
            await self.end(name)

    @property
    def restarts(self) -> dict[str, int]:
        """How often each piece of work was begun again."""
        return {name: kept.restarts for name, kept in self._kept.items()}

    @property
    def troubles(self) -> list[str]:
        """What has ended of late and has not gone on for long since, in a line for each."""
        return [trouble for kept in self._kept.values() if (trouble := kept.trouble()) is not None]

    def trouble(self) -> str | None:
        """Returns all troubles in one line; None if there are none."""
        return "; ".join(self.troubles) or None


class _Kept:
    def __init__(self, name: str, work: Work, first_back_off: float, well_seconds: float) -> None:
        self.restarts = 0
        self._name = name
        self._work = work
        self._first_back_off = first_back_off
        self._well_seconds = well_seconds
        self._begun: float | None = None
        self._why: str | None = None
        self._task = asyncio.create_task(self._go_on(), name=name)

    async def end(self) -> None:
        # Again, where it is not heard: until Python 3.12 `wait_for`, which redis uses, loses a cancellation that comes
        # together with its result.
        while not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_HEARD_SECONDS)

    def trouble(self) -> str | None:
        if self._why is None or self._has_been_well():
            return None
        return f"{self._name} was begun again {self.restarts} times, the last time because {self._why}"

    def _has_been_well(self) -> bool:
        return self._begun is not None and asyncio.get_running_loop().time() - self._begun > self._well_seconds

    async def _go_on(self) -> None:
        back_off = self._first_back_off
        while True:
            self._begun = asyncio.get_running_loop().time()
            await self._once()
            if self._has_been_well():
                back_off = self._first_back_off
            self._begun = None
            self.restarts += 1
            await asyncio.sleep(back_off)
            back_off = min(2 * back_off, _LAST_BACK_OFF)

    async def _once(self) -> None:
        """Does the work until it ends, for whatever reason but that this task is to end."""
        try:
            await self._work()
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is None or current.cancelling():
                raise
            self._why = "it was cancelled from inside"
            log.exception("background_work_cancelled", work=self._name, restarts=self.restarts)
        except Exception as error:
            self._why = f"of {type(error).__name__}: {in_brief(error)}"
            log.exception("background_work_broke", work=self._name, restarts=self.restarts)
        else:
            self._why = "it ended"
            log.error("background_work_ended", work=self._name, restarts=self.restarts)
