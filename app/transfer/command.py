"""What `locum import` and `locum export` do: files and folders on one side, a project on the other."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from app.auth import local_actor
from app.db.session import Sessions, create_engine, create_sessions, transaction
from app.scratch import scratch_file
from app.services import projects
from app.services.prune_sweep import retention_of
from app.settings import Settings
from app.storage import Storage, StorageAway, create_storage
from app.transfer.dump import Dump, Fault
from app.transfer.exporting import Exporter
from app.transfer.importing import Importer, Refused, Report
from app.transfer.objects import KINDS

#: Standard input or output.
STANDARD: Final = "-"
_SHOWN: Final = 20

Say = Callable[[str], None]


class TransferError(Exception):
    """An import or an export that cannot be done; `lines` say why."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


async def import_dump(
    settings: Settings, source: str, *, files: Path | None, project: str, newest_first: bool, say: Say
) -> None:
    """Imports the dump in the file `source` into a project, which is made if it is not there. Raises TransferError."""
    contents = files or _beside(source)
    if files is not None and not _is_folder(files):
        raise TransferError(f"there is no folder {files}")
    async with _opened(settings) as (sessions, storage):
        async with transaction(sessions) as session:
            owner = await projects.found_or_made(session, local_actor(), project)
        importer = Importer(sessions.of(owner.id), storage, owner.id, newest_first=newest_first)
        with _seekable(source) as path, Dump(path) as dump:
            try:
                report = await importer.run(dump, contents)
            except Refused as refused:
                raise TransferError(*_some(refused.faults), "nothing was imported") from None
    for line in _told(report):
        say(line)
    if retention_of(settings):
        say("LOCUM_PRUNE_... is set: what is old enough of this is deleted within the hour (docs/retention.md).")


async def export_dump(settings: Settings, target: str, *, files: Path | None, project: str, say: Say) -> None:
    """Exports a project to the file `target`; what it says goes to the operator. Raises TransferError."""
    contents = files or _beside(target)
    async with _opened(settings) as (sessions, storage):
        async with transaction(sessions) as session:
            owner = await projects.find(session, project)
        if owner is None:
            raise TransferError(f"there is no project {project}")
        if contents is not None:
            await asyncio.to_thread(contents.mkdir, parents=True, exist_ok=True)
        exporter = Exporter(sessions.of(owner.id), storage, owner.id)
        with _output(target) as out:
            async for line in exporter.lines(contents):
                out.write(line)
    for kind in KINDS:
        say(f"{kind.kind:<18} {exporter.counts.get(kind.kind, 0):>9}")
    if contents is None:
        say("Without the contents of files: --files names the folder for them.")


def _beside(name: str) -> Path | None:
    """The folder for the contents of files: beside the dump, `saved.files` for `saved.jsonl`."""
    return None if name == STANDARD else Path(name).with_suffix(".files")


def _is_folder(path: Path) -> bool:
    return path.is_dir()


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Sessions, Storage]]:
    engine, storage = create_engine(settings, is_patient=True), create_storage(settings)
    try:
        yield create_sessions(engine), storage
    except StorageAway:
        raise TransferError(
            "the storage cannot be used; what was done stays, and the command can be run again"
        ) from None
    finally:
        await storage.aclose()
        await engine.dispose()


@contextmanager
def _seekable(source: str) -> Iterator[Path]:
    """The dump as a file: what comes by standard input is kept in one until the end."""
    if source != STANDARD:
        yield Path(source)
        return
    with scratch_file() as path:
        with path.open("wb") as kept:
            shutil.copyfileobj(sys.stdin.buffer, kept)
        yield path


@contextmanager
def _output(target: str) -> Iterator[BinaryIO]:
    """Where the dump goes. A file has its name when it is there in full."""
    if target == STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(target)
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        with unfinished.open("wb") as out:
            yield out
        unfinished.replace(path)
    finally:
        with suppress(FileNotFoundError):
            unfinished.unlink()


def _told(report: Report) -> Iterator[str]:
    yield f"{'':<18} {'imported':>9} {'there already':>14}"
    for kind in KINDS:
        yield f"{kind.kind:<18} {report.imported.get(kind.kind, 0):>9} {report.there_already.get(kind.kind, 0):>14}"
    foreign = [f"{number:,} x {what}" for what, number in sorted(report.foreign.items())]
    for title, lines in (("Left out", _some(report.left_out)), ("To know", [*_some(report.remarks), *foreign])):
        if lines:
            yield f"{title}:"
            yield from (f"  {line}" for line in lines)


def _some(faults: list[Fault]) -> list[str]:
    more = [f"and {len(faults) - _SHOWN:,} more"] if len(faults) > _SHOWN else []
    return [*map(str, faults[:_SHOWN]), *more]
