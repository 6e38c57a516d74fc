"""Has work on what strangers sent done by confined processes, which a warm process forks (`server`)."""

import asyncio
import contextlib
import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from app.confinement.doors import Layers
from app.confinement.pipes import PipeReader

_log = structlog.get_logger()

#: To be followed by the module and what the process is told: see `server`.
COMMAND: tuple[str, ...] = (sys.executable, "-I", "-m", "app.confinement.server")
#: To load all libraries, on a machine that is busy.
_START_SECONDS: Final = 120.0
#: In which a warm process forks, or says that it has killed. One that does not is taken to be frozen.
_HEARD_SECONDS: Final = 20.0
#: In which a process that was killed is gone, unless it hangs in the kernel.
_GONE_SECONDS: Final = 5.0
#: As much of what a process complains of as is kept.
_COMPLAINT_BYTES: Final = 4096

# All that the processes are told of where they run: no secret, no proxy. Few arenas, since memory that malloc only
# reserves counts against the limit too. No folder for libraries to find things in that others have put there: /tmp.
_NOWHERE: Final = "/nonexistent"
ENVIRONMENT: Final = {
    "LANG": "C.UTF-8",
    "MALLOC_ARENA_MAX": "2",
    "RUST_BACKTRACE": "0",
    **dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), _NOWHERE),
}


class Lost(Exception):
    """The work was not done for a reason that lies outside of it: another try may go well."""


class TooMuch(Exception):
    """The answer is longer than is taken."""


@dataclass(frozen=True)
class Limits:
    """What one piece of work may take."""

    memory_bytes: int
    cpu_seconds: float
    #: By the clock.
    seconds: float
    answer_bytes: int


@dataclass(frozen=True)
class Outcome:
    """How a process ended, its status as `subprocess` has it, and what it has said."""

    status: int
    answer: bytes
    complaint: bytes


class Warm:
    """One warm process for the work of `module` (`server` tells what that has), started when it is wanted.

    One that has died or does not answer is started again. To be used on one event loop.
    """

    def __init__(self, module: str) -> None:
        self._module = module
        self._running: _Running | None = None
        self._starting = asyncio.Lock()

    async def start(self) -> Layers:
        """Starts the process unless it runs. Returns which layers hold its work. Raises Lost."""
        return (await self._current()).layers

    async def do(self, request: Mapping[str, Any], data: int, limits: Limits) -> Outcome:
        """Has the work done, on what the descriptor `data` gives from its beginning to its end.

        The process that does it has ended when this returns, however that is. Raises Lost; TimeoutError after
        `limits.seconds`; TooMuch.
        """
        work = {"request": request, "memory_bytes": limits.memory_bytes, "cpu_seconds": limits.cpu_seconds}
        message = json.dumps(work).encode()
        try:
            return await self._once(message, data, limits)
        except _NotBegun as problem:
            _log.warning("confined_work_not_begun", work=self._module, problem=str(problem))
        try:
            return await self._once(message, data, limits)
        except _NotBegun as problem:
            raise Lost(str(problem)) from problem

    def close(self) -> None:
        """Ends the warm process and all work that is under way."""
        if self._running is not None:
            self._running.end()
            self._running = None

    async def _current(self) -> "_Running":
        async with self._starting:
            if self._running is None or self._running.has_ended():
                self.close()
                self._running = await _Running.start(self._module)
            return self._running

    async def _once(self, message: bytes, data: int, limits: Limits) -> Outcome:
        running = await self._current()
        async with _Work.begun(running, message, data) as work, asyncio.timeout(limits.seconds):
            return await work.outcome(limits.answer_bytes)


class _NotBegun(Exception):
    """The warm process did not take the work: it can be tried again at once."""


class _Running:
    """A warm process that has been started."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket, layers: Layers) -> None:
        self._process = process
        self._control = control
        self.layers = layers

    @classmethod
    async def start(cls, module: str) -> "_Running":
        """Raises Lost."""
        try:
            return await cls._start(module)
        except OSError as error:  # no memory, no more processes, no more files
            raise Lost(f"the confined process does not start: {error}") from error

    @classmethod
    async def _start(cls, module: str) -> "_Running":
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        reading, report = os.pipe()
        with io.FileIO(reading) as told:
            try:
                arguments = [module, str(theirs.fileno()), str(report), str(os.getpid())]
                process = subprocess.Popen(  # noqa: ASYNC220, S603 - our own program; it returns as soon as the program is executed
                    [*COMMAND, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env=ENVIRONMENT,
                    cwd="/",
                    pass_fds=(theirs.fileno(), report),
                    start_new_session=True,
                )
            except BaseException:
                control.close()
                raise
            finally:
                theirs.close()
                os.close(report)
            try:
                layers = await _report(told)
            except BaseException:
                control.close()
                _end(process)
                raise
        control.settimeout(0)
        return cls(process, control, layers)

    def has_ended(self) -> bool:
        """Whether the process is no more; its work has ended with it."""
        return self._control.fileno() < 0 or self._process.poll() is not None

    def send(self, message: bytes, descriptors: list[int]) -> None:
        """Hands a piece of work over. Raises _NotBegun."""
        try:
            socket.send_fds(self._control, [message], descriptors)
        except OSError as error:  # it has ended, or takes nothing
            raise _NotBegun(f"the warm process takes no work: {error}") from error

    def end(self) -> None:
        """Ends the process, and all its work with it. May be called again."""
        self._control.close()
        _end(self._process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()


async def _report(told: io.FileIO) -> Layers:
    """What the warm process says of its layers. Raises Lost where it ends without a word, or says none."""
    try:
        async with asyncio.timeout(_START_SECONDS):
            said = await PipeReader(told).read_all()
        return Layers(**json.loads(said))
    except TimeoutError:
        raise Lost(f"the confined process is not there after {_START_SECONDS:g} s") from None
    except (ValueError, TypeError) as error:
        raise Lost("the confined process has ended while it started") from error


class _Work:
    """One piece of work that a process has begun."""

    def __init__(self, answer: PipeReader, complaint: PipeReader, told: asyncio.StreamReader) -> None:
        self._answer = answer
        self._complaint = complaint
        self._told = told

    @classmethod
    @contextlib.asynccontextmanager
    async def begun(cls, running: _Running, message: bytes, data: int) -> AsyncIterator["_Work"]:
        """The work, which has ended when the context is left. Raises _NotBegun; OSError becomes Lost."""
        async with contextlib.AsyncExitStack() as parts:
            try:
                answer, to_answer = _pipe(parts)
                complaint, to_complain = _pipe(parts)
                ours, theirs = socket.socketpair()
            except OSError as error:  # no more files
                raise Lost(f"the confined process cannot be asked: {error}") from error
            with theirs, to_answer, to_complain:
                told, telling = await asyncio.open_unix_connection(sock=ours)
                parts.callback(telling.close)
                running.send(message, [data, to_answer.fileno(), to_complain.fileno(), theirs.fileno()])
            try:
                await _hear(told, "begun")
                yield cls(PipeReader(answer), PipeReader(complaint), told)
            except _NotBegun:
                # One that is frozen, or gone: with it all its work ends.
                running.end()
                raise
            finally:
                await _until_gone(running, told, telling)

    async def outcome(self, most: int) -> Outcome:
        """What the process answers, once it has ended. Raises TooMuch, Lost."""
        complaint = asyncio.create_task(_last(self._complaint))
        try:
            answer = await _all(self._answer, most)
            return Outcome(await self._status(), answer, await complaint)
        finally:
            complaint.cancel()

    async def _status(self) -> int:
        word, _, status = (await self._told.readline()).decode().strip().partition(" ")
        if word != "ended":
            raise Lost("the warm process has ended, and the work with it")
        return int(status)


async def _hear(told: asyncio.StreamReader, what: str) -> None:
    """Returns when the warm process says so. Raises _NotBegun, or Lost where it says something else."""
    try:
        async with asyncio.timeout(_HEARD_SECONDS):
            said = (await told.readline()).decode().strip()
    except (TimeoutError, OSError):
        said = ""
    if not said:
        raise _NotBegun("the warm process does not answer")
    if said != what:
        raise Lost(f"no process can be had for the work: {said}")


async def _until_gone(running: _Running, told: asyncio.StreamReader, telling: asyncio.StreamWriter) -> None:
    """Has the process killed if it still runs; returns when it is gone, or hangs in the kernel."""
    said = b""
    with contextlib.suppress(OSError):  # the warm process has ended, and all of its own with it
        telling.write_eof()
    try:
        async with asyncio.timeout(_GONE_SECONDS):
            async for line in told:
                said += line
    except OSError:
        return
    except TimeoutError:
        if b"killed" in said:
            _log.error("confined_process_hangs")
        else:
            _log.error("warm_process_silent")
            running.end()


def _pipe(parts: contextlib.AsyncExitStack) -> tuple[io.FileIO, io.FileIO]:
    reading, writing = os.pipe()
    return parts.enter_context(io.FileIO(reading)), parts.enter_context(io.FileIO(writing, "w"))


async def _all(pipe: PipeReader, most: int) -> bytes:
    found = bytearray()
    while data := await pipe.read():
        found += data
        if len(found) > most:
            raise TooMuch
    return bytes(found)


async def _last(pipe: PipeReader) -> bytes:
    found = b""
    while data := await pipe.read():
        found = (found + data)[-_COMPLAINT_BYTES:]
    return found
