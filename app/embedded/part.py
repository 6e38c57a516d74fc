"""A part of the embedded stack: a program that runs as our child, and is started again when it ends."""

import asyncio
import contextlib
import signal
import time
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.embedded import identity
from app.embedded.errors import CannotStart
from app.embedded.identity import Identity
from app.embedded.logs import PartLog, Say
from app.errors import in_brief

_POLL_SECONDS = 0.02
_FIRST_BACK_OFF = 0.2
_LAST_BACK_OFF = 5.0
#: A part that has run for so long was well: its next end is a new matter.
_HEALTHY_SECONDS = 30.0


async def _nothing() -> None:
    pass


def _last(lines: Sequence[str]) -> str:
    return lines[-1] if lines else ""


@dataclass(frozen=True)
class Program:
    """How a part is started, known to be ready, and ended.

    `is_ready` may raise OSError for "not yet". `prepare` is awaited before every start.
    """

    name: str
    command: Sequence[str]
    is_ready: Callable[[], Awaitable[bool]]
    prepare: Callable[[], Awaitable[None]] = _nothing
    environment: Mapping[str, str] | None = None
    identity: Identity = "same"
    stop_signal: signal.Signals = signal.SIGTERM
    #: What it gets from the kernel when we die. SIGKILL where there is nothing to put in order.
    death_signal: signal.Signals = signal.SIGKILL
    start_seconds: float = 30
    stop_seconds: float = 10
    #: Which lines of its log are warnings, and where a record of its log begins.
    warning: str | None = None
    record: str = ""
    #: Which of its latest lines tells why it does not start.
    explain: Callable[[Sequence[str]], str] = _last


class Part:
    """A `Program`, its process and its log. `start` it, `keep` it going, `stop` it; in that order, by one loop."""

    def __init__(self, program: Program, logs: Path, say: Say) -> None:
        self.program = program
        self._say = say
        self._log = PartLog(logs, program.name, say, warning=program.warning, record=program.record)
        self._process: Process | None = None
        self._copying: asyncio.Task[None] | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> Process:
        """Starts the program and returns when it is ready. Raises `CannotStart`, with its last words if it ended."""
        program = self.program
        self._log.tail.clear()
        await program.prepare()
        process = await self._spawn()
        deadline = time.monotonic() + program.start_seconds
        while not await self._is_ready():
            if self.pid is None:
                await self._finish_log()
                words = program.explain(self._log.tail) or "it ended without a word"
                raise CannotStart(f"{program.name} does not start: {words}")
            if time.monotonic() > deadline:
                self._signal(signal.SIGKILL)
                await process.wait()
                raise CannotStart(f"{program.name} is not ready after {program.start_seconds:.0f} seconds")
            await asyncio.sleep(_POLL_SECONDS)
        return process

    def keep(self) -> None:
        """From now on, starts the program again whenever it ends."""
        if self._process is not None:
            self._keeping = asyncio.create_task(self._keep(self._process), name=f"keep {self.program.name}")

    async def stop(self) -> None:
        """Asks the program to end, and ends it when it takes too long. Returns when nothing of it is left."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        if self._process is not None:
            self._signal(self.program.stop_signal)
            try:
                await asyncio.wait_for(self._process.wait(), self.program.stop_seconds)
            except TimeoutError:
                self._say(f"{self.program.name} did not end in time and was killed")
                self._signal(signal.SIGKILL)
                await self._process.wait()
            await self._finish_log()
        self._log.close()

    def kill(self) -> None:
        """Ends the program at once, for good."""
        if self._keeping is not None:
            self._keeping.cancel()
        self._signal(signal.SIGKILL)

    async def _keep(self, process: Process) -> None:
        back_off = _FIRST_BACK_OFF
        while True:
            began = time.monotonic()
            status = await process.wait()
            await self._finish_log()
            if time.monotonic() - began > _HEALTHY_SECONDS:
                back_off = _FIRST_BACK_OFF
            self._say(f"{self.program.name} ended ({_describe(status)}) and is started again")
            while True:
                await asyncio.sleep(back_off)
                back_off = min(2 * back_off, _LAST_BACK_OFF)
                try:
                    process = await self.start()
                    break
                except (CannotStart, OSError) as error:
                    self._say(str(error))
                except Exception as error:  # noqa: BLE001 - whatever it was, the next start may well succeed
                    self._say(f"{self.program.name}: {in_brief(error)}")

    async def _spawn(self) -> Process:
        program = self.program
        command = identity.wrapped(program.command, identity=program.identity, death_signal=program.death_signal)
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            env=program.environment,
            # A group of its own: the terminal's Ctrl-C is for us, who end the parts in order.
            start_new_session=True,
        )
        self._process = process
        if process.stdout is not None:
            self._copying = asyncio.create_task(self._log.copy(process.stdout))
        return process

    async def _is_ready(self) -> bool:
        with contextlib.suppress(OSError):
            return self.pid is not None and await self.program.is_ready()
        return False

    async def _finish_log(self) -> None:
        if self._copying is not None:
            # Not for ever: a grandchild may hold the other end.
            await asyncio.wait({self._copying}, timeout=1)
            self._copying.cancel()

    def _signal(self, number: signal.Signals) -> None:
        if self.pid is not None and self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)


def _describe(status: int) -> str:
    if status >= 0:
        return f"status {status}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-status).name
    return f"signal {-status}"
