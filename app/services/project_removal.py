"""What a deleted project had goes, piece by piece: its rows, the bytes of its files, the event logs of its runs.

Each piece is a short transaction that deletes at most a thousand rows or so, however large the project is, and the row
of the project goes last. So whoever is killed in the middle leaves a project that is marked as deleted, which nobody
can open any more; the sweep of any process goes on with it, and so does the same command, given again.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import Sessions, patient_transaction
from app.domain.statuses import ACTIVE
from app.models import (
    ApiKey,
    Assistant,
    Chunk,
    Document,
    File,
    FileBatch,
    FileBatchMember,
    IdempotencyKey,
    ImportedPlace,
    Message,
    Project,
    Run,
    RunStep,
    Thread,
    Upload,
    UploadPart,
    VectorStore,
    VectorStoreFile,
)
from app.services.stored_bytes import remove_after_commit
from app.signals import forget_after_commit, ingestion_stop_after_commit, stop_after_commit
from app.storage import Storage

log = structlog.get_logger()

_ROWS: Final = 1000
#: Texts, and what has bytes in the storage.
_LARGE: Final = 50
#: What has much below it.
_PARENTS: Final = 20
#: How long one sweep may be at it.
_SWEEP_SECONDS: Final = 1.0

_Piece = Callable[[AsyncSession, Storage, str], Awaitable[int]]


async def remove(sessions: Sessions, storage: Storage, project_id: str) -> AsyncIterator[tuple[str, int]]:
    """Removes what the project had; tells of each piece what kind and how many. Does nothing for one that is not marked
    as deleted. Raises SQLAlchemyError."""
    of_project = sessions.of(project_id)
    for kind, piece in _PIECES.items():
        count = 1
        while count:
            async with patient_transaction(of_project) as session:
                if not await _is_doomed(session, project_id):
                    return
                count = await piece(session, storage, project_id)
            if count:
                yield kind, count


async def _is_doomed(session: AsyncSession, project_id: str) -> bool:
    """Whether there is something to remove. One process at a time does it: the project's row is held."""
    query = sa.select(Project.id).where(Project.id == project_id, Project.deleted_at.is_not(None))
    return await session.scalar(query.with_for_update(key_share=True)) is not None


async def _threads(session: AsyncSession, _: Storage, project_id: str) -> int:
    """Of some threads: some steps, else some runs, else some messages, else the threads."""
    threads = await _some(session, Thread.id, Thread.project_id == project_id, _PARENTS)
    if not threads:
        return 0
    found = sa.select(Run.id, Run.status).where(Run.thread_id.in_(threads)).limit(_PARENTS)
    runs: dict[str, str] = {run.id: run.status for run in await session.execute(found)}
    if runs:
        if steps := await _delete(session, RunStep, RunStep.run_id.in_(runs)):
            return steps
        await _delete(session, Run, Run.id.in_(runs))
        for run_id, status in runs.items():
            if status in ACTIVE:
                stop_after_commit(session, run_id)
        forget_after_commit(session, list(runs), None)
        return len(runs)
    if messages := await _delete(session, Message, Message.thread_id.in_(threads)):
        return messages
    return await _delete(session, Thread, Thread.id.in_(threads))


async def _stores(session: AsyncSession, _: Storage, project_id: str) -> int:
    """Of some vector stores: some chunks, else what is in batches, else the files, else the stores."""
    stores = await _some(session, VectorStore.id, VectorStore.project_id == project_id, _PARENTS)
    if not stores:
        return 0
    for model in (Chunk, FileBatchMember, VectorStoreFile, FileBatch):
        if count := await _delete(session, model, model.vector_store_id.in_(stores)):
            return count
    for store_id in stores:
        ingestion_stop_after_commit(session, store_id)
    return await _delete(session, VectorStore, VectorStore.id.in_(stores))


async def _files(session: AsyncSession, storage: Storage, project_id: str) -> int:
    return await _with_bytes(session, storage, File, project_id)


async def _parts(session: AsyncSession, storage: Storage, project_id: str) -> int:
    return await _with_bytes(session, storage, UploadPart, project_id)


async def _with_bytes(
    session: AsyncSession, storage: Storage, model: type[File] | type[UploadPart], project_id: str
) -> int:
    found = await _some(session, model.id, model.project_id == project_id, _LARGE)
    count = await _delete(session, model, model.id.in_(found)) if found else 0
    remove_after_commit(session, storage, found)
    return count


def _rows_of(model: Any, limit: int = _ROWS) -> _Piece:
    async def piece(session: AsyncSession, _: Storage, project_id: str) -> int:
        return await _delete(session, model, model.project_id == project_id, limit)

    return piece


async def _project(session: AsyncSession, _: Storage, project_id: str) -> int:
    """The project itself; with it goes what was still added while the rest was removed."""
    deleting = sa.delete(Project).where(Project.id == project_id).returning(Project.id)
    return len((await session.scalars(deleting)).all())


#: In this order nothing is deleted that something else still hangs on by the thousand.
_PIECES: Final[dict[str, _Piece]] = {
    "threads": _threads,
    "vector stores": _stores,
    "texts": _rows_of(Document, _LARGE),
    "assistants": _rows_of(Assistant),
    "parts of uploads": _parts,
    "uploads": _rows_of(Upload),
    "files": _files,
    "kept answers": _rows_of(IdempotencyKey),
    "places": _rows_of(ImportedPlace),
    "keys": _rows_of(ApiKey),
    "project": _project,
}


async def _some(session: AsyncSession, column: Any, condition: Any, limit: int) -> Sequence[str]:
    return (await session.scalars(sa.select(column).where(condition).limit(limit))).all()


async def _delete(session: AsyncSession, model: Any, condition: Any, limit: int = _ROWS) -> int:
    """Deletes at most `limit` rows of those for which `condition` holds; gives their number."""
    keys = [model.__table__.c[column.name] for column in model.__table__.primary_key]
    some = sa.select(*keys).where(condition).limit(limit)
    deleting = sa.delete(model).where(sa.tuple_(*keys).in_(some)).returning(*keys)
    return len((await session.execute(deleting.execution_options(synchronize_session=False))).all())


class ProjectSweep:
    """The part of the sweep that goes on with what was left. One a process."""

    def __init__(self, sessions: Sessions, storage: Storage) -> None:
        self._sessions = sessions
        self._storage = storage

    async def sweep(self) -> None:
        """Goes on for a second; what is left is for the next sweep. Raises SQLAlchemyError."""
        until = time.monotonic() + _SWEEP_SECONDS
        async with patient_transaction(self._sessions) as session:
            doomed = sa.select(Project.id).where(Project.deleted_at.is_not(None)).order_by(Project.deleted_at).limit(1)
            project_id = await session.scalar(doomed)
        if project_id is None:
            return
        async for kind, count in remove(self._sessions, self._storage, project_id):
            log.info("project_removed", project_id=project_id, kind=kind, count=count)
            if time.monotonic() > until:
                return
