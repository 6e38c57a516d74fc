"""Import: a dump becomes rows of a project, under the ids that its objects have.

Nothing is imported before every line was read and found good. Then whole groups of objects go in, a transaction for
some of them: a file with its contents, a vector store with its files, a thread with its messages, runs and steps. What
is there already stays as it is, so an import can be run again, after an interruption or for nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import Sessions, transaction
from app.pagination import scoped
from app.storage import Storage
from app.transfer import imported_files, imported_stores
from app.transfer.dump import Dump, Fault, Line, in_batches
from app.transfer.objects import (
    KINDS,
    Row,
    Saved,
    SavedFile,
    SavedMessage,
    SavedRun,
    SavedStep,
    SavedStore,
    SavedStoreFile,
    SavedThread,
)

_ROWS_AT_ONCE: Final = 1000
_IDS_AT_ONCE: Final = 5000
#: Who has so many lines to mend need not be told of more.
_MOST_FAULTS: Final = 1000

#: What objects of a kind cannot be without: the column that names it, and its kind.
_NEEDS: Final = (
    (SavedStoreFile, "parent", SavedStore, "vector store"),
    (SavedStoreFile, "id", SavedFile, "file"),
    (SavedMessage, "parent", SavedThread, "thread"),
    (SavedRun, "parent", SavedThread, "thread"),
    (SavedStep, "parent", SavedRun, "run"),
)


class Refused(Exception):
    """A dump of which nothing was imported; `faults` say why."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(f"{len(faults)} lines cannot be imported")
        self.faults = faults


@dataclass(slots=True)
class Report:
    """What an import has done: numbers by kind, and what was left out."""

    imported: dict[str, int] = field(default_factory=dict)
    there_already: dict[str, int] = field(default_factory=dict)
    left_out: list[Fault] = field(default_factory=list)
    remarks: list[Fault] = field(default_factory=list)
    #: What of the other objects was left out, as it has no place here, and of how many.
    foreign: Mapping[str, int] = field(default_factory=dict)

    def count(self, kind: type[Saved], *, total: int, new: int) -> None:
        """Notes that of `total` objects of a kind `new` were not there before."""
        self.imported[kind.kind] = self.imported.get(kind.kind, 0) + new
        self.there_already[kind.kind] = self.there_already.get(kind.kind, 0) + total - new


class Importer:
    """Imports dumps into the project `project_id`."""

    def __init__(self, sessions: Sessions, storage: Storage, project_id: str, *, newest_first: bool = False) -> None:
        self._sessions = sessions
        self._storage = storage
        self._project_id = project_id
        self._newest_first = newest_first

    async def run(self, dump: Dump, contents: Path | None) -> Report:
        """Imports `dump`; the contents of its files are in the folder `contents`, under their ids.

        Raises Refused, and StorageAway.
        """
        faults = list(islice(dump.read(), _MOST_FAULTS)) or await self._taken(dump)
        if faults:
            raise Refused(faults)
        report = Report(remarks=list(dump.poorer), foreign=dump.foreign)
        await self._leave_out_orphans(dump, report)
        for pack in dump.packs():
            for line in dump.lines(pack, SavedFile):
                await self._import_file(line, contents, report)
            async with transaction(self._sessions) as session:
                for kind in KINDS:
                    for lines in in_batches(_but_files(dump, pack, kind), _ROWS_AT_ONCE):
                        new = await self._insert(session, kind, lines)
                        report.count(kind, total=len(lines), new=new)
        return report

    async def _taken(self, dump: Dump) -> list[Fault]:
        """The objects whose ids another project has: ids tell objects apart in the whole of Locum."""
        faults = []
        for kind in KINDS:
            for some in in_batches(dump.ids(kind), _IDS_AT_ONCE):
                lines = {object_id: number for number, object_id, _ in some}
                elsewhere = select(kind.table.id).where(
                    kind.table.id.in_(list(lines)), kind.table.project_id != self._project_id
                )
                async with transaction(self._sessions.of_all()) as session:
                    taken = await session.scalars(elsewhere)
                faults += [Fault(lines[id_], f"{kind.kind} {id_} belongs to another project") for id_ in taken]
        return sorted(faults, key=lambda fault: fault.line)

    async def _leave_out_orphans(self, dump: Dump, report: Report) -> None:
        """Leaves out what belongs to an object that is neither in the dump nor in the project."""
        for kind, column, needed, noun in _NEEDS:
            missing: list[int] = []
            for some in in_batches(dump.lacking(kind, column, needed), _IDS_AT_ONCE):
                owners = {number: parent if column == "parent" else id_ for number, id_, parent in some}
                known = await self._known(needed, set(owners.values()))
                for number, object_id, _ in some:
                    if owners[number] not in known:
                        missing.append(number)
                        why = f"{kind.kind} {object_id}: there is no {noun} {owners[number]}, here or in the dump"
                        report.left_out.append(Fault(number, why))
            dump.leave_out(missing)

    async def _known(self, kind: type[Saved], ids: set[str]) -> set[str]:
        statement = scoped(kind.table, self._project_id).with_only_columns(kind.table.id).where(kind.table.id.in_(ids))
        async with transaction(self._sessions) as session:
            return set(await session.scalars(statement))

    async def _import_file(self, line: Line, contents: Path | None, report: Report) -> None:
        outcome = await imported_files.take(
            self._sessions, self._storage, self._project_id, line.saved, self._row(line), contents
        )
        if outcome.left_out is not None:
            report.left_out.append(Fault(line.number, outcome.left_out))
            return
        report.count(SavedFile, total=1, new=int(outcome.is_new))
        if outcome.remark is not None:
            report.remarks.append(Fault(line.number, outcome.remark))

    async def _insert(self, session: AsyncSession, kind: type[Saved], lines: Sequence[Line]) -> int:
        """Inserts what is not there yet; gives the number."""
        rows = [self._row(line) for line in lines]
        if kind is SavedStore:
            rows = [imported_stores.store(row, line.saved) for row, line in zip(rows, lines, strict=True)]
        if kind is SavedStoreFile:
            rows = await imported_stores.files(session, rows)
        key = ("id", "vector_store_id") if kind is SavedStoreFile else ("id",)
        table = kind.table
        place = [getattr(table, name) for name in key]
        present = scoped(table, self._project_id).with_only_columns(*place).where(table.id.in_([r["id"] for r in rows]))
        known = {tuple(found) for found in await session.execute(present)}
        new = [row for row in rows if tuple(row[name] for name in key) not in known]
        if new:
            await session.execute(insert(table).on_conflict_do_nothing(), new)
        return len(new)

    def _row(self, line: Line) -> Row:
        seq = line.saved.seq(line.number, newest_first=self._newest_first)
        return {**line.saved.row(), "project_id": self._project_id, "seq": seq}


def _but_files(dump: Dump, pack: int, kind: type[Saved]) -> Iterator[Line]:
    if kind is not SavedFile:
        yield from dump.lines(pack, kind)
