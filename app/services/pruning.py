"""Retention: deletes threads that lie idle, vector stores that have expired, and files that nothing refers to.

The work is done in pages of a few short transactions, so that it can go on beside everything else; what somebody holds
at the moment is left for the next time.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.db.base import ApiObject, now
from app.db.session import Sessions, patient_transaction
from app.domain.statuses import ACTIVE
from app.models import Assistant, File, Message, Run, RunStep, Thread, VectorStore, VectorStoreFile
from app.services import files
from app.storage import Storage

_PAGE: Final = 500
#: Their messages, runs and steps go with them.
_THREADS_AT_ONCE: Final = 20
#: Files of other purposes are attached to nothing by their nature.
_PURPOSES: Final = ("assistants", "assistants_output", "user_data", "vision")
#: A transaction that began before a look may be committed after it.
_UNSEEN: Final = timedelta(minutes=10)
_CODE_FILES: Final[Any] = sa.literal_column("'$.code_interpreter.file_ids[*]'::jsonpath")
#: Wherever an object names a file.
_FILE_IDS: Final[Any] = sa.literal_column("'$.**.file_id'::jsonpath")


@dataclass(frozen=True, slots=True)
class Retention:
    """After how many days threads, vector stores and files are deleted; None keeps them. `project_id` narrows it."""

    thread_days: int | None = None
    store_days: int | None = None
    file_days: int | None = None
    project_id: str | None = None

    def __bool__(self) -> bool:
        return any(days is not None for days in (self.thread_days, self.store_days, self.file_days))


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was deleted of one kind."""

    kind: str
    count: int


async def prune(
    sessions: Sessions, storage: Storage, retention: Retention, *, dry_run: bool = False
) -> AsyncIterator[Pruned]:
    """Deletes what `retention` says, a page each time; `dry_run` counts only. Raises SQLAlchemyError.

    Threads go first: the files that they alone refer to are orphans then.
    """
    work = _Pruning(sessions, storage, retention.project_id, dry_run=dry_run)
    if retention.thread_days is not None:
        async for count in work.threads(_ago(retention.thread_days)):
            yield Pruned("threads", count)
    if retention.store_days is not None:
        async for count in work.stores(_ago(retention.store_days)):
            yield Pruned("vector stores", count)
    if retention.file_days is not None:
        async for count in work.files(_ago(retention.file_days)):
            yield Pruned("files", count)


def _ago(days: int) -> datetime:
    return now() - timedelta(days=days)


class _Pruning:
    def __init__(self, sessions: Sessions, storage: Storage, project_id: str | None, *, dry_run: bool) -> None:
        self._sessions = sessions
        self._storage = storage
        self._project_id = project_id
        self._dry_run = dry_run

    async def threads(self, before: datetime) -> AsyncIterator[int]:
        """Deletes threads in which nothing happened since `before` and no run is active; their numbers."""
        async for page in self._pages(Thread):
            async with patient_transaction(self._sessions) as session:
                idle = list(await session.scalars(sa.select(Thread.id).where(Thread.id.in_(page), _is_idle(before))))
            if self._dry_run:
                yield len(idle)
                continue
            for start in range(0, len(idle), _THREADS_AT_ONCE):
                async with patient_transaction(self._sessions) as session:
                    deleted = await _delete_threads(session, idle[start : start + _THREADS_AT_ONCE], before)
                yield deleted

    async def stores(self, before: datetime) -> AsyncIterator[int]:
        """Deletes vector stores that expired before `before`; their numbers. The files in them stay."""
        expired = sa.select(VectorStore.id).where(VectorStore.expires_at <= before)
        if self._project_id is not None:
            expired = expired.where(VectorStore.project_id == self._project_id)
        if self._dry_run:
            counted = sa.select(sa.func.count()).select_from(expired.subquery())
            async with patient_transaction(self._sessions) as session:
                found = (await session.execute(counted)).scalar_one()
            yield found
            return
        deleted = _PAGE
        while deleted:
            async with patient_transaction(self._sessions) as session:
                held = list(await session.scalars(expired.limit(_THREADS_AT_ONCE).with_for_update(skip_locked=True)))
                await session.execute(sa.delete(VectorStore).where(VectorStore.id.in_(held)))
                deleted = len(held)
            yield deleted

    async def files(self, before: datetime) -> AsyncIterator[int]:
        """Deletes files from before `before` that nothing refers to; their numbers."""
        async for page in self._pages(File):
            looked = now() - _UNSEEN
            async with patient_transaction(self._sessions) as session:
                orphans = await _orphans(session, page, before)
            if self._dry_run or not orphans:
                yield len(orphans)
                continue
            async with patient_transaction(self._sessions) as session:
                deleted = await self._delete_files(session, list(orphans), before, looked)
            yield deleted

    async def _delete_files(
        self, session: AsyncSession, orphans: Sequence[str], before: datetime, looked: datetime
    ) -> int:
        # Whoever attaches a file holds it. Once they are locked, what refers to them does not change.
        held = (
            await session.scalars(sa.select(File).where(File.id.in_(orphans)).with_for_update(skip_locked=True))
        ).all()
        still = await _orphans(session, [file.id for file in held], before, since=looked)
        await files.discard(session, self._storage, [file for file in held if file.id in still])
        return len(still)

    async def _pages(self, model: type[ApiObject]) -> AsyncIterator[Sequence[str]]:
        """The ids of all objects of a kind, in the order of the index of their projects."""
        place = sa.tuple_(model.project_id, model.seq)
        some = sa.select(model.id, model.project_id, model.seq).order_by(model.project_id, model.seq).limit(_PAGE)
        if self._project_id is not None:
            some = some.where(model.project_id == self._project_id)
        statement = some
        while True:
            async with patient_transaction(self._sessions) as session:
                rows = (await session.execute(statement)).all()
            if rows:
                yield [row.id for row in rows]
            if len(rows) < _PAGE:
                return
            statement = some.where(place > sa.tuple_(rows[-1].project_id, rows[-1].seq))


def _is_idle(before: datetime) -> sa.ColumnElement[bool]:
    """The condition for threads: neither they nor their newest message and run are younger, and no run is active."""
    active = sa.select(Run.id).where(Run.thread_id == Thread.id, Run.status.in_(ACTIVE)).exists()
    return sa.and_(
        Thread.created_at < before,
        sa.func.coalesce(_newest(Message, Message.thread_id), Thread.created_at) < before,
        sa.func.coalesce(_newest(Run, Run.thread_id), Thread.created_at) < before,
        ~active,
    )


def _newest(model: type[Message] | type[Run], thread_id: InstrumentedAttribute[str]) -> sa.ScalarSelect[datetime]:
    """When the newest of a thread was made: a single step in the index."""
    newest = sa.select(model.created_at).where(thread_id == Thread.id).order_by(model.seq.desc()).limit(1)
    return newest.correlate(Thread).scalar_subquery()


async def _delete_threads(session: AsyncSession, thread_ids: Sequence[str], before: datetime) -> int:
    """Deletes those of the threads that are idle still; whoever adds to a thread holds it."""
    locking = sa.select(Thread.id).where(Thread.id.in_(thread_ids)).with_for_update(skip_locked=True)
    held = list(await session.scalars(locking))
    deleting = sa.delete(Thread).where(Thread.id.in_(held), _is_idle(before)).returning(Thread.id)
    return len((await session.scalars(deleting.execution_options(synchronize_session=False))).all())


async def _orphans(
    session: AsyncSession, file_ids: Sequence[str], before: datetime, *, since: datetime | None = None
) -> set[str]:
    """Those of the files that are old enough and that nothing refers to.

    What messages and steps refer to is in no index, so all of the projects' are read, or those made `since`.
    """
    stored = sa.select(VectorStoreFile.id).where(VectorStoreFile.id == File.id).exists()
    candidates = sa.select(File.id, File.project_id).where(
        File.id.in_(file_ids), File.created_at < before, File.purpose.in_(_PURPOSES), ~stored
    )
    rows = (await session.execute(candidates)).all()
    left = {row.id for row in rows}
    projects = {row.project_id for row in rows}
    for model in (Assistant, Thread):
        if left:
            left -= await _named(session, model, projects, left, [(model.tool_resources, _CODE_FILES)], sa.true())
    for kind, columns in ((Message, (Message.content, Message.attachments)), (RunStep, (RunStep.step_details,))):
        if left:
            recent = sa.true() if since is None else kind.created_at > since
            left -= await _named(session, kind, projects, left, [(column, _FILE_IDS) for column in columns], recent)
    return left


async def _named(
    session: AsyncSession,
    model: type[ApiObject],
    projects: set[str],
    file_ids: set[str],
    places: Sequence[tuple[Any, Any]],
    condition: Any,
) -> set[str]:
    """Those of `file_ids` that rows of `model` name in one of `places` (a column, a path in it)."""
    named: set[str] = set()
    for column, path in places:
        found = sa.func.jsonb_path_query(column, path).op("#>>")(sa.literal_column("'{}'")).label("file_id")
        every = sa.select(found).where(model.project_id.in_(projects), condition).subquery()
        named |= set(await session.scalars(sa.select(every.c.file_id).where(every.c.file_id.in_(file_ids)).distinct()))
    return named
