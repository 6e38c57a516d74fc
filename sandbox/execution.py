"""One execution: the code, the time it may take, and the events that it gives, in the order in which they come."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final, Literal

from sandbox.errors import KernelFailed
from sandbox.kernel import Kernel
from sandbox.outputs import Outputs
from sandbox.protocol import ALIVE_SECONDS, Alive, Done, Event, Started, Status
from sandbox.wire import Message

#: How far the kernel may be ahead of a client that reads slowly.
_WAITING_EVENTS: Final = 64
#: After the answer to a request: for outputs that are still on their way.
_LAST_OUTPUTS_SECONDS: Final = 1.0
#: How long a kernel may take to end after it has said that it will.
_EXIT_SECONDS: Final = 5.0
#: After an interrupt, for something to be heard of what goes on.
_LISTEN_SECONDS: Final = 0.3
#: How often a client that reads slowly is looked after.
_ROOM_SECONDS: Final = 0.02

_LOST: Final = "Its variables and imports are gone; the files in /mnt/data are still there."

#: Why code is stopped before its end: by a client, by the clock, by its own talking, or since nobody listens any more.
Stop = Literal["interrupted", "timed_out", "too_much", "abandoned"]


@dataclass(frozen=True)
class Allowance:
    """What one execution may take."""

    seconds: float
    grace_seconds: float
    text_bytes: int
    image_bytes: int


class Execution:
    """Made with the request, carried out by `run` when its turn comes, read by `events`."""

    def __init__(self, code: str, allowance: Allowance) -> None:
        self._code = code
        self._allowance = allowance
        self._outputs = Outputs(allowance.text_bytes, allowance.image_bytes)
        self._events: asyncio.Queue[Event] = asyncio.Queue(_WAITING_EVENTS)
        self._stop: Stop | None = None
        self._stopping = asyncio.Event()
        self._began = time.monotonic()

    def stop(self, why: Stop) -> None:
        """Has the code interrupted, or killed if it goes on. The first reason counts."""
        self._stop = self._stop or why
        self._stopping.set()

    @property
    def is_stopped(self) -> bool:
        """Whether it is not to begin, if it has not begun."""
        return self._stopping.is_set()

    async def events(self) -> AsyncIterator[Event]:
        """What it tells, up to its `Done`. To be read once, by one reader."""
        while True:
            event: Event = Alive()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ALIVE_SECONDS):
                    event = await self._events.get()
            yield event
            if isinstance(event, Done):
                return

    async def fail(self, message: str) -> None:
        """Ends it where there is no kernel to run it."""
        await self._tell(Done("died", self._seconds, message))

    async def run(self, kernel: Kernel, *, fresh: bool) -> None:
        """Runs the code in the kernel, which is free or dead afterwards."""
        self._began = time.monotonic()
        await self._tell(Started(fresh))
        request = await kernel.wire.execute(self._code)
        reading = asyncio.create_task(self._read(kernel, request))
        try:
            answered = await self._until_answered(kernel, reading)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        if answered and not reading.cancelled():
            reading.result()
        await self._tell(self._ending(answered, kernel))

    async def _until_answered(self, kernel: Kernel, reading: asyncio.Task[None]) -> bool:
        """Waits for the end of the code, and sees to it that there is one. Tells whether the kernel lived to see it."""
        if await self._wait(kernel, reading, self._allowance.seconds):
            return not kernel.ended.done()
        self.stop("timed_out")
        with contextlib.suppress(KernelFailed):
            await kernel.wire.interrupt()
        if not await self._wait(kernel, reading, self._allowance.grace_seconds, heed_stop=False):
            await kernel.kill("did not end when it was interrupted, and was killed")
        elif self._stop == "too_much" and await _goes_on_writing(kernel):
            await kernel.kill("was killed, since something that it has started goes on writing")
        return not kernel.ended.done()

    async def _wait(
        self, kernel: Kernel, reading: asyncio.Task[None], seconds: float, *, heed_stop: bool = True
    ) -> bool:
        """Until the code or the kernel has ended (True), or the code is to be stopped (False)."""
        stopping = asyncio.create_task(self._stopping.wait())
        broken = asyncio.create_task(kernel.wire.broken.wait())
        ends = {reading, kernel.ended, broken}
        try:
            await asyncio.wait(
                {*ends, stopping} if heed_stop else ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if broken.done() and not reading.done():
                # Its own end is close, or it has sent more at once than is taken.
                await asyncio.wait({kernel.ended}, timeout=1)
                await kernel.kill("broke off its connection (more output at once than can be taken, perhaps)")
            return reading.done() or kernel.ended.done()
        finally:
            stopping.cancel()
            broken.cancel()

    async def _read(self, kernel: Kernel, request: str) -> None:
        """Reads outputs until the kernel is idle again: it says so among the outputs, and answers the request."""
        replying = asyncio.create_task(_until_reply(kernel, request))
        outputs = asyncio.create_task(self._until_idle(kernel, request))
        try:
            await asyncio.wait({replying, outputs}, return_when=asyncio.FIRST_COMPLETED)
            # Outputs may be lost where there are too many, the last word among them; the answer is not.
            await asyncio.wait({replying, outputs}, timeout=_LAST_OUTPUTS_SECONDS)
            if replying.done() and replying.result():
                await asyncio.wait({kernel.ended}, timeout=_EXIT_SECONDS)
        finally:
            replying.cancel()
            outputs.cancel()
            await asyncio.gather(replying, outputs, return_exceptions=True)

    async def _until_idle(self, kernel: Kernel, request: str) -> None:
        while True:
            message = await kernel.wire.next_output()
            if message is None or message.parent != request:
                continue
            if message.type == "status" and message.content.get("execution_state") == "idle":
                return
            await self._pass_on(message)

    async def _pass_on(self, message: Message) -> None:
        for event in self._outputs.of(message):
            await self._tell(event)
        if self._outputs.too_much:
            self.stop("too_much")

    async def _tell(self, event: Event) -> None:
        """Hands an event on; waits for a slow client, but not once the code is to stop."""
        if self._stop == "abandoned":
            return
        if self._events.full() and not self.is_stopped:
            await self._wait_for_room()
        if self._events.full():
            if not isinstance(event, Done):
                return
            self._events.get_nowait()
        self._events.put_nowait(event)

    async def _wait_for_room(self) -> None:
        while self._events.full() and not self.is_stopped:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ROOM_SECONDS):
                    await self._stopping.wait()

    @property
    def _seconds(self) -> float:
        return round(time.monotonic() - self._began, 3)

    def _ending(self, answered: bool, kernel: Kernel) -> Done:
        """How it went, and what the model should know of it."""
        why = {
            None: None,
            "abandoned": None,
            "interrupted": "The code was interrupted.",
            "timed_out": f"The code was interrupted after {self._allowance.seconds:g} seconds, the most it may take.",
            "too_much": "The code was interrupted because it wrote without end.",
        }[self._stop]
        status: Status = "error" if self._outputs.failed else "ok"
        if self._stop is not None:
            status = "timed_out" if self._stop == "timed_out" else "interrupted"
        if answered:
            return Done(status, self._seconds, why)
        reason = kernel.ended.result() if kernel.ended.done() else "was lost"
        ended = f"The Python process {reason}. {_LOST}"
        return Done("died" if self._stop is None else status, self._seconds, " ".join(filter(None, (why, ended))))


async def _until_reply(kernel: Kernel, request: str) -> bool:
    """Waits for the answer; tells whether the code has asked the kernel to end, as `exit()` does."""
    while True:
        message = await kernel.wire.next_reply()
        if message is not None and message.type == "execute_reply" and message.parent == request:
            payload = message.content.get("payload")
            items = payload if isinstance(payload, list) else []
            return any(isinstance(item, dict) and item.get("source") == "ask_exit" for item in items)


async def _goes_on_writing(kernel: Kernel) -> bool:
    """Whether there is output after the end of the code: from threads and processes, which no interrupt reaches."""
    listening = asyncio.create_task(_until_text(kernel))
    done, _ = await asyncio.wait({listening}, timeout=_LISTEN_SECONDS)
    listening.cancel()
    return bool(done) and not kernel.ended.done()


async def _until_text(kernel: Kernel) -> None:
    while (message := await kernel.wire.next_output()) is None or message.type != "stream":
        pass
