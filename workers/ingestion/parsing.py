"""From a file to its text, in a process of its own with limits: a file may be made to break what reads it."""

import asyncio
import contextlib
import json
import mmap
import os
import signal
import sys
from pathlib import Path
from typing import Final, cast

import structlog

from app.settings import Settings
from workers.ingestion.parsed import MAX_TEXT_BYTES, ErrorCode, ParsedFile, Unparsable, too_long

_log = structlog.get_logger()

_MODULE: Final = "workers.ingestion.parser_process"

#: The answer's first line: a number for each page.
_MAX_HEADER_BYTES: Final = 16 * 2**20
_MAX_ANSWER_BYTES: Final = _MAX_HEADER_BYTES + MAX_TEXT_BYTES

#: As much of what the process says on standard error as is kept.
_COMPLAINT_BYTES: Final = 4096

# All that the process is told of where it runs: no secret, no proxy. Few arenas, since memory that malloc only reserves
# counts against the limit too. No folder for libraries to find things in that others have put there, as in /tmp.
_NOWHERE: Final = "/nonexistent"
_ENVIRONMENT: Final = {
    "LANG": "C.UTF-8",
    "MALLOC_ARENA_MAX": "2",
    "RUST_BACKTRACE": "0",
    **dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), _NOWHERE),
}

#: A file may take `parser_seconds` of processor time. By the clock it may be so many times as long, and at most so many
#: seconds longer: after that the process was kept from working, by the machine.
_TIMES_BY_THE_CLOCK: Final = 10
_MOST_BY_THE_CLOCK: Final = 600.0

#: What ends a process that broke on what it read.
_CRASHES: Final = frozenset(
    {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP}
)


class ParserLost(Exception):
    """What went wrong lies outside the file, with the process or the machine: another try may go well."""


async def parse(path: Path, kind: str, settings: Settings) -> ParsedFile:
    """The text of the file at `path`, of a kind as `kinds.kind_of` gives it.

    The process that reads it ends with this call, however it ends. Raises Unparsable where the file is at fault (also
    by taking too long, or too much memory), ParserLost otherwise.
    """
    try:
        process = await _start(path, kind, settings)
    except OSError as error:  # no memory, no more processes, no more files
        raise ParserLost(f"the parser does not start: {error}") from error
    try:
        async with asyncio.timeout(_by_the_clock(settings.parser_seconds)):
            answer, complaint = await _listen(process)
            status = await process.wait()
    except TimeoutError:
        raise ParserLost(f"the parser had not {settings.parser_seconds:g} s of processor time in time") from None
    finally:
        await _end(process)
    if status != 0:
        raise _failure(status, complaint, settings)
    return _parsed(answer, settings)


def _by_the_clock(seconds: float) -> float:
    return min(_TIMES_BY_THE_CLOCK * max(seconds, 1), seconds + _MOST_BY_THE_CLOCK)


async def _start(path: Path, kind: str, settings: Settings) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-I", "-m", _MODULE, kind, str(path)),
        *(str(os.getpid()), str(settings.parser_memory_bytes), str(settings.parser_seconds)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=_ENVIRONMENT,
        cwd="/",
        start_new_session=True,
    )


async def _listen(process: asyncio.subprocess.Process) -> tuple[bytes, bytes]:
    """What the process answers, and the last that it complains of."""
    out, err = cast("asyncio.StreamReader", process.stdout), cast("asyncio.StreamReader", process.stderr)
    complaint = asyncio.create_task(_last(err))
    try:
        return await _all(out), await complaint
    finally:
        complaint.cancel()


async def _all(stream: asyncio.StreamReader) -> bytes:
    found = bytearray()
    while data := await stream.read(2**20):
        found += data
        if len(found) > _MAX_ANSWER_BYTES:
            raise too_long()
    return bytes(found)


async def _last(stream: asyncio.StreamReader) -> bytes:
    found = b""
    while data := await stream.read(2**16):
        found = (found + data)[-_COMPLAINT_BYTES:]
    return found


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kills the process with its group if it still runs, and waits until it is gone."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _parsed(answer: bytes, settings: Settings) -> ParsedFile:
    line, _, text = answer.partition(b"\n")
    try:
        header = json.loads(line)
        if header.get("code") == "memory":
            raise _too_large(settings)
        if "code" in header:
            raise Unparsable(cast("ErrorCode", header["code"]), str(header["message"]))
        return ParsedFile(text.decode("utf-8"), [int(start) for start in header["page_starts"]])
    except (ValueError, TypeError, KeyError) as error:
        raise ParserLost("the parser's answer is not one") from error


def _failure(status: int, complaint: bytes, settings: Settings) -> Exception:
    """What it means that the process ended with `status` instead of an answer."""
    ended_by = -status
    said = complaint.decode("utf-8", "replace")
    if ended_by == signal.SIGXCPU:
        return _too_slow()
    if ended_by in _CRASHES:
        _log.warning("a parser broke on a file", signal=ended_by, said=said)
        if b"memory" in complaint or b"bad_alloc" in complaint:  # an allocation that fails aborts programs of Rust
            return _too_large(settings)
        return Unparsable("invalid_file", "The file is damaged: it cannot be read.")
    return ParserLost(f"the parser ended with status {status}: {said}")


def _too_large(settings: Settings) -> Exception:
    """What it means that memory was refused: the file's fault only where the machine had what a parser may take."""
    try:
        # As allocators ask for it.
        mmap.mmap(-1, settings.parser_memory_bytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except OSError as error:
        return ParserLost(f"there are not {settings.parser_memory_bytes // 2**20} MiB of memory for a parser: {error}")
    return Unparsable("invalid_file", "The file takes too much memory to be read.")


def _too_slow() -> Unparsable:
    return Unparsable("invalid_file", "The file takes too long to be read.")
