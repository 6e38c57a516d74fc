"""From a file to its text, by a confined process: a file may be made to break what reads it, or to take it over."""

import asyncio
import mmap
import signal
from pathlib import Path
from typing import Final

import structlog

from app import tokens
from app.confinement.doors import Layers
from app.confinement.server import NO_MEMORY
from app.confinement.warm import Limits, Lost, Outcome, TooMuch, Warm
from app.settings import Settings
from workers.ingestion import parser_answer
from workers.ingestion.parsed import MAX_TOKENS, ParsedFile, Unparsable, too_long
from workers.ingestion.parser_answer import NoAnswer

_log = structlog.get_logger()

#: What the warm process loads, and its forked ones do.
WORK: Final = "workers.ingestion.parser_process"

#: A file may take `parser_seconds` of processor time. By the clock it may be so many times as long, and at most so many
#: seconds longer: after that the process was kept from working, by the machine.
_TIMES_BY_THE_CLOCK: Final = 10
_MOST_BY_THE_CLOCK: Final = 600.0

#: What to do with a file that is too large for the limits here.
_DIVIDE: Final = "Divide it into smaller files and try again."

#: What ends a process that broke on what it read.
_CRASHES: Final = frozenset(
    {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP}
)


class ParserLost(Exception):
    """What went wrong lies outside the file, with the process or the machine: another try may go well."""


class Parser:
    """Reads files, each in a process of its own that can do nothing but read it. To be closed."""

    def __init__(self, settings: Settings, warm: Warm | None = None) -> None:
        self._settings = settings
        self._warm = warm or Warm(WORK)

    async def start(self) -> Layers:
        """Has the warm process ready before the first file comes; returns what confines it. Raises ParserLost."""
        try:
            return await self._warm.start()
        except Lost as lost:
            raise ParserLost(str(lost)) from lost

    async def parse(self, path: Path, kind: str) -> ParsedFile:
        """The text of the file at `path`, of a kind as `kinds.kind_of` gives it.

        The process that reads it ends with this call, however it ends. Raises Unparsable where the file is at fault
        (also by taking too long, or too much memory), ParserLost otherwise.
        """
        try:
            with path.open("rb", 0) as file:
                outcome = await self._warm.do({"kind": kind}, file.fileno(), self._limits())
        except TimeoutError:
            raise ParserLost(
                f"the parser had not {self._settings.parser_seconds:g} s of processor time in time"
            ) from None
        except (Lost, OSError) as error:  # of the system: no more files
            raise ParserLost(str(error)) from error
        except TooMuch:
            raise too_long() from None
        if outcome.status != 0:
            raise _failure(outcome, self._settings)
        return await _understood(outcome.answer)

    def close(self) -> None:
        """Ends the warm process, and all reading with it."""
        self._warm.close()

    def _limits(self) -> Limits:
        seconds = self._settings.parser_seconds
        by_the_clock = min(_TIMES_BY_THE_CLOCK * max(seconds, 1), seconds + _MOST_BY_THE_CLOCK)
        return Limits(self._settings.parser_memory_bytes, seconds, by_the_clock, parser_answer.MAX_BYTES)


async def _understood(answer: bytes) -> ParsedFile:
    try:
        parsed = parser_answer.understand(answer)
    except NoAnswer as error:
        raise ParserLost(f"the parser's answer is not one: {error}") from error
    text = parsed.text
    if tokens.at_most(text) > MAX_TOKENS and await asyncio.to_thread(tokens.count, text) > MAX_TOKENS:
        raise too_long()
    return parsed


def _failure(outcome: Outcome, settings: Settings) -> Exception:
    """What it means that the process ended with a status instead of an answer."""
    ended_by = -outcome.status
    said = outcome.complaint.decode("utf-8", "replace")
    if outcome.status == NO_MEMORY:
        return _too_large(settings)
    if ended_by == signal.SIGXCPU:
        seconds = settings.parser_seconds
        return Unparsable(
            "invalid_file", f"The file takes too long to be read: more than {seconds:g} s of processor time. {_DIVIDE}"
        )
    if ended_by in _CRASHES:
        _log.warning("a parser broke on a file", signal=ended_by, said=said)
        # As libraries end that are refused it.
        if b"memory" in outcome.complaint or b"bad_alloc" in outcome.complaint:
            return _too_large(settings)
        return Unparsable("invalid_file", "The file is damaged: it cannot be read.")
    return ParserLost(f"the parser ended with status {outcome.status}: {said}")


def _too_large(settings: Settings) -> Exception:
    """What it means that memory was refused: the file's fault only where the machine had what a parser may take."""
    try:
        # As allocators ask for it.
        mmap.mmap(-1, settings.parser_memory_bytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except OSError as error:
        return ParserLost(f"there are not {settings.parser_memory_bytes // 2**20} MiB of memory for a parser: {error}")
    most = settings.parser_memory_bytes // 2**20
    return Unparsable("invalid_file", f"The file takes too much memory to be read: more than {most:,} MiB. {_DIVIDE}")
