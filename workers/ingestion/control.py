"""Whether files of a kind can be read here at all: the control for every verdict against a file.

What is wrong with the machine (a library that is missing or cannot be loaded, a full disk, a folder that is closed,
too little memory) looks to a parser like a file that is damaged. So a file is blamed only where a good one of its kind,
from `control_files`, can be read by the same process.

`python -m workers.ingestion.control` tries every kind, for `locum doctor`, and prints a line for each that fails; where
none does, what confines the processes that read.
"""

import asyncio
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import structlog

from app.settings import Settings
from workers.ingestion.kinds import TEXT, UNKNOWN
from workers.ingestion.parsed import ParsedFile, Unparsable
from workers.ingestion.parsing import Parser, ParserLost

_log = structlog.get_logger()

_FOLDER: Final = Path(__file__).parent / "control_files"
_TEXT: Final = "Barn owls hunt at night."
#: What the first bytes of a file whose name tells nothing make of it.
_BEGINNINGS: Final = {b"%PDF": "pdf", b"PK": "docx", b"\xd0\xcf\x11\xe0": "doc", b"{\\rtf": "rtf"}
_AT_ONCE: Final = 2


async def parse_with_control(parser: Parser, path: Path, kind: str) -> ParsedFile:
    """As `parser.parse`, but raises ParserLost instead of Unparsable where a good file of the kind fails, too."""
    try:
        return await parser.parse(path, kind)
    except Unparsable as fault:
        if fault.code != "invalid_file":
            raise
        kind = kind if kind != UNKNOWN else await asyncio.to_thread(_kind_by_beginning, path)
        if problem := await problem_with(parser, kind):
            _log.error("parser_cannot_read", kind=kind, problem=problem, verdict=fault.message)
            raise ParserLost(f"no {kind} file can be read here: {problem}") from fault
        raise


async def problem_with(parser: Parser, kind: str) -> str | None:
    """Why no file of `kind` (of KINDS) can be read here; None if they can."""
    try:
        parsed = await parser.parse(_FOLDER / f"owls.{kind}", kind)
    except (Unparsable, ParserLost) as error:
        return str(error)
    return None if _TEXT in parsed.text else f"a good file is read as {parsed.text[:80]!r}"


def _kind_by_beginning(path: Path) -> str:
    with path.open("rb") as file:
        beginning = file.read(16)
    return next((kind for magic, kind in _BEGINNINGS.items() if beginning.startswith(magic)), TEXT)


def _kinds() -> list[str]:
    return sorted(path.suffix.removeprefix(".") for path in _FOLDER.iterdir())


#: Every kind of file that there is a reader for.
KINDS: Final = tuple(_kinds())


async def problems(parser: Parser, kinds: Sequence[str] = KINDS) -> Iterable[str]:
    """A line for each kind that cannot be read here."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def of(kind: str) -> str | None:
        async with slots:
            problem = await problem_with(parser, kind)
        return f"{kind}: {problem}" if problem else None

    return [line for line in await asyncio.gather(*map(of, kinds)) if line]


async def _examine() -> tuple[str, list[str]]:
    parser = Parser(Settings())
    try:
        layers = await parser.start()
        return str(layers), list(await problems(parser))
    except ParserLost as lost:
        return "", [str(lost)]
    finally:
        parser.close()


def main() -> int:
    """Prints what cannot be read, with status 1 if there is such a kind; else what confines those who read."""
    layers, found = asyncio.run(_examine())
    sys.stdout.writelines(f"{' '.join(line.split())}\n" for line in found or [layers])
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
