"""In which order the windows of many requests go through a model that does one small batch at a time."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

Window = list[int]

#: Tokens of a batch, with what pads them. More at once is hardly faster, and whoever comes next waits for it.
_BATCH_TOKENS: Final = 256
#: So many batches go to the request with the least left; then one goes to the request that has waited longest.
_SHORT_IN_ROW: Final = 4


@dataclass(eq=False, slots=True)
class _Request:
    """What is left of one request: the numbers of its windows, the longest last."""

    windows: Sequence[Window]
    rows: list[Any]
    left: list[int]
    tokens: int
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Inference:
    """Runs windows through `run`, in a thread, batch after batch: a short request waits for one batch at most.

    `run` takes windows and gives a row for each; it blocks.
    """

    def __init__(self, run: Callable[[list[Window]], Any]) -> None:
        self._run = run
        self._waiting: list[_Request] = []
        self._thread = ThreadPoolExecutor(1, "inference")
        self._worker: asyncio.Task[None] | None = None

    async def rows(self, windows: Sequence[Window]) -> list[Any]:
        """The row of each window. If this is cancelled, what is left of the work is dropped.

        Raises what `run` raises.
        """
        if not windows:
            return []
        order = sorted(range(len(windows)), key=lambda number: len(windows[number]))
        request = _Request(windows, [None] * len(windows), order, sum(map(len, windows)))
        self._waiting.append(request)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        try:
            await request.done
        finally:
            if request in self._waiting:
                self._waiting.remove(request)
        return request.rows

    def close(self) -> None:
        """Ends the thread after the batch that it is at."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        for turn in itertools.count(1):
            if not self._waiting:
                return
            batch = self._next_batch(oldest_first=turn % (_SHORT_IN_ROW + 1) == 0)
            try:
                rows = await loop.run_in_executor(self._thread, self._run, [of.windows[number] for of, number in batch])
            except Exception as error:  # noqa: BLE001 - whoever asked is told
                self._fail(batch, error)
                continue
            for (request, number), row in zip(batch, rows, strict=True):
                request.rows[number] = row
            self._finish()

    def _next_batch(self, *, oldest_first: bool) -> list[tuple[_Request, int]]:
        """Windows of one request, and where there is room for more, of those that come next."""
        order = sorted(self._waiting, key=lambda request: request.tokens)
        if oldest_first:
            order.insert(0, self._waiting[0])
        batch: list[tuple[_Request, int]] = []
        longest = 0
        for request in order:
            while request.left:
                length = max(longest, len(request.windows[request.left[-1]]))
                if batch and length * (len(batch) + 1) > _BATCH_TOKENS:
                    break
                longest = length
                number = request.left.pop()
                request.tokens -= len(request.windows[number])
                batch.append((request, number))
        return batch

    def _finish(self) -> None:
        for request in [request for request in self._waiting if not request.left]:
            self._waiting.remove(request)
            if not request.done.done():
                request.done.set_result(None)

    def _fail(self, batch: list[tuple[_Request, int]], error: Exception) -> None:
        for request in {request for request, _ in batch} & set(self._waiting):
            self._waiting.remove(request)
            if not request.done.done():
                request.done.set_exception(error)
