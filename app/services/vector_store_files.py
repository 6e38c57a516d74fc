"""Files in vector stores. A file that is added waits, `in_progress`, for its ingestion (workers.ingestion)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import Select, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.base import Json, now
from app.db.session import be_patient
from app.domain.statuses import FileStatus
from app.errors import InvalidRequest, NotFound
from app.models import Chunk, Document, VectorStore, VectorStoreFile
from app.pagination import Page, PageQuery, paginate, scoped
from app.schemas import vector_store_files as schemas
from app.schemas.chunking import stored_chunking
from app.services import files, store_expiry
from app.signals import ingestion_after_commit, ingestion_stop_after_commit

#: Of one vector store (contract, section 9).
MAX_FILES: Final = 10_000

Status = Literal["in_progress", "completed", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to be added; its chunking strategy as it is stored (app.schemas.chunking.stored_chunking)."""

    file_id: str
    attributes: Json = field(default_factory=dict)
    chunking_strategy: Json = field(default_factory=lambda: stored_chunking(None))


@dataclass(frozen=True, slots=True)
class Tally:
    """What a set of vector store files comes to: how many there are of each status, and the bytes that they take."""

    by_status: Mapping[str, int] = field(default_factory=dict)
    usage_bytes: int = 0

    @property
    def file_counts(self) -> dict[str, int]:
        """The counts as they are answered."""
        return {**self.by_status, "total": sum(self.by_status.values())}


async def tallies(session: AsyncSession, files_of: Select[str, str, int]) -> dict[str, Tally]:
    """Counts what `files_of` selects (key, status, usage_bytes) for each key; a key without files has none."""
    key, status, usage_bytes = files_of.subquery().c
    statement = select(key, status, func.count(), func.sum(usage_bytes)).group_by(key, status)
    by_status: dict[str, dict[str, int]] = {}
    usage: dict[str, int] = {}
    for found, of_status, count, used in await session.execute(statement):
        by_status.setdefault(found, {})[of_status] = count
        usage[found] = usage.get(found, 0) + int(used)
    return {found: Tally(by_status[found], usage[found]) for found in by_status}


def as_new(body: schemas.VectorStoreFileCreate) -> NewFile:
    """The file that a request adds."""
    return NewFile(body.file_id, body.attributes or {}, stored_chunking(body.chunking_strategy))


async def create(session: AsyncSession, store: VectorStore, body: schemas.VectorStoreFileCreate) -> VectorStoreFile:
    """Adds a file to a vector store. Raises as `attach`."""
    (row,) = await attach(session, store, [as_new(body)])
    return row


async def attach(session: AsyncSession, store: VectorStore, new_files: Sequence[NewFile]) -> list[VectorStoreFile]:
    """Adds files to `store`, and nudges the ingestion after the commit. Gives them in the order given, each once.

    A file that is there already stays, with the attributes given now, if any are. It is ingested anew if it had
    failed or was cancelled, or is to be cut in another way. Raises NotFound for the first file that is missing, and
    for a store deleted meanwhile; InvalidRequest for an expired store, or one that would hold too many files.
    """
    wanted = {new.file_id: new for new in new_files}
    await _lock(session, store)
    await files.require(session, store.project_id, list(wanted))
    present = await _present(session, store, list(wanted))
    await _refuse_too_many(session, store, len(wanted) - len(present))
    for file_id, row in present.items():
        await _attach_again(session, row, wanted[file_id])
    added = await _insert(session, store, [new for new in wanted.values() if new.file_id not in present])
    rows = present | {row.id: row for row in added}
    if any(row.status == FileStatus.IN_PROGRESS for row in rows.values()):
        ingestion_after_commit(session)
    return [rows[file_id] for file_id in wanted]


async def _lock(session: AsyncSession, store: VectorStore) -> None:
    """Holds the store against others who add to it, or delete it; to add to it is to use it."""
    statement = select(VectorStore.id).where(VectorStore.id == store.id).with_for_update(key_share=True)
    if await session.scalar(statement) is None:
        raise NotFound.of(VectorStore.__tablename__, store.id)
    await session.refresh(store)
    store_expiry.refuse_expired(store)
    store_expiry.be_active(store)


async def _present(session: AsyncSession, store: VectorStore, file_ids: list[str]) -> dict[str, VectorStoreFile]:
    statement = (
        _in(store)
        .where(VectorStoreFile.id.in_(file_ids))
        .order_by(VectorStoreFile.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {row.id: row for row in await session.scalars(statement)}


async def _refuse_too_many(session: AsyncSession, store: VectorStore, more: int) -> None:
    if not more:
        return
    held = await session.scalar(_in(store).with_only_columns(func.count()))
    if (held or 0) + more > MAX_FILES:
        message = f"Vector store '{store.id}' would have too many files: {MAX_FILES} are allowed."
        raise InvalidRequest(message, code="vector_store_full")


async def _attach_again(session: AsyncSession, row: VectorStoreFile, new: NewFile) -> None:
    if new.attributes:
        row.attributes = new.attributes
    recut = row.chunking_strategy != new.chunking_strategy
    if not recut and row.status in (FileStatus.IN_PROGRESS, FileStatus.COMPLETED):
        return
    row.status, row.chunking_strategy = FileStatus.IN_PROGRESS, new.chunking_strategy
    row.last_error, row.usage_bytes, row.tries = None, 0, 0
    # Whoever is at it under the old attempt writes nothing more.
    row.attempt, row.lease_expires_at, row.ready_at = row.attempt + 1, None, now()
    await session.flush()
    await be_patient(session)
    await session.execute(delete(Chunk).where(Chunk.vector_store_id == row.vector_store_id, Chunk.file_id == row.id))


async def _insert(session: AsyncSession, store: VectorStore, new_files: Sequence[NewFile]) -> list[VectorStoreFile]:
    if not new_files:
        return []
    values = [
        {"id": new.file_id, "attributes": new.attributes, "chunking_strategy": new.chunking_strategy}
        for new in new_files
    ]
    statement = insert(VectorStoreFile).values(
        vector_store_id=store.id,
        project_id=store.project_id,
        created_at=now(),
        status=FileStatus.IN_PROGRESS,
        ready_at=func.now(),
    )
    rows = await session.scalars(statement.returning(VectorStoreFile, sort_by_parameter_order=True), values)
    return list(rows)


def _in(store: VectorStore) -> Select[VectorStoreFile]:
    return scoped(VectorStoreFile, store.project_id).where(VectorStoreFile.vector_store_id == store.id)


async def get(session: AsyncSession, store: VectorStore, file_id: str, *, lock: bool = False) -> VectorStoreFile:
    """One file of a vector store. `lock` keeps others from changing it until the end. Raises NotFound."""
    statement = _in(store).where(VectorStoreFile.id == file_id)
    if lock:
        statement = statement.with_for_update()
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None:
        raise NotFound.of(VectorStoreFile.__tablename__, file_id)
    return row


async def list_page(
    session: AsyncSession, store: VectorStore, page: PageQuery, status: Status | None = None
) -> Page[VectorStoreFile]:
    """A page of a store's files, of one `status` if it is given. Raises NotFound, InvalidRequest for the cursors."""
    return await paginate(session, with_status(_in(store), status), VectorStoreFile, page)


def with_status(statement: Select[VectorStoreFile], status: Status | None) -> Select[VectorStoreFile]:
    """Those of `statement` that have a status, if one is given."""
    return statement if status is None else statement.where(VectorStoreFile.status == status)


async def modify(
    session: AsyncSession, store: VectorStore, file_id: str, body: schemas.VectorStoreFileModify
) -> VectorStoreFile:
    """Replaces the attributes of a file, all of them. Raises NotFound."""
    row = await get(session, store, file_id, lock=True)
    row.attributes = body.attributes or {}
    await session.flush()
    return row


async def detach(session: AsyncSession, store: VectorStore, file_id: str) -> None:
    """Takes a file out of a vector store; the file itself stays. Raises NotFound."""
    await session.delete(await get(session, store, file_id, lock=True))
    await session.flush()
    ingestion_stop_after_commit(session, store.id)


async def content(session: AsyncSession, store: VectorStore, file_id: str) -> str:
    """The text of a file, as it was parsed. Raises NotFound, and InvalidRequest for a file that is not completed."""
    row = await get(session, store, file_id)
    if row.status != FileStatus.COMPLETED:
        message = f"The content of file '{file_id}' cannot be read: its status is '{row.status}', not 'completed'."
        raise InvalidRequest(message)
    return await session.scalar(select(Document.text).where(Document.id == row.document_id)) or ""


async def pending(session: AsyncSession, store_ids: Sequence[str], before: datetime) -> int:
    """How many files that these stores were given before a time wait for the end of their ingestion."""
    statement = select(func.count()).where(
        VectorStoreFile.vector_store_id.in_(list(store_ids)),
        VectorStoreFile.status == FileStatus.IN_PROGRESS,
        VectorStoreFile.created_at < before,
    )
    return (await session.execute(statement)).scalar_one()
