"""Batches: files that are added to a vector store together. Their counts are counted from their files."""

from sqlalchemy import ColumnElement, and_, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app import ids
from app.db.session import be_patient
from app.domain.statuses import FileStatus
from app.errors import InvalidRequest, NotFound
from app.models import Chunk, FileBatch, FileBatchMember, VectorStore, VectorStoreFile
from app.pagination import Page, PageQuery, paginate, scoped
from app.schemas import file_batches as schemas
from app.schemas.chunking import stored_chunking
from app.services import vector_store_files
from app.services.vector_store_files import NewFile, Status, Tally, as_new, with_status
from app.signals import ingestion_stop_after_commit


async def create(session: AsyncSession, store: VectorStore, body: schemas.FileBatchCreate) -> FileBatch:
    """Adds files to a vector store as a batch. Raises InvalidRequest, and as vector_store_files.attach."""
    rows = await vector_store_files.attach(session, store, _new_files(body))
    batch = FileBatch(
        id=ids.new(ids.FILE_BATCH), project_id=store.project_id, vector_store_id=store.id, status=FileStatus.IN_PROGRESS
    )
    session.add(batch)
    await session.flush()
    of_store = {"vector_store_id": store.id, "project_id": store.project_id}
    members = [{"batch_id": batch.id, "file_id": row.id, **of_store} for row in rows]
    await session.execute(insert(FileBatchMember), members)
    return batch


def _new_files(body: schemas.FileBatchCreate) -> list[NewFile]:
    if body.files is not None and body.file_ids is not None:
        message = "Only one of 'file_ids' and 'files' may be given."
        raise InvalidRequest(message, param="files", code="invalid_value")
    if body.files is not None:
        return [as_new(file) for file in body.files]
    if body.file_ids is None:
        message = "Missing required parameter: 'file_ids'."
        raise InvalidRequest(message, param="file_ids", code="missing_required_parameter")
    chunking = stored_chunking(body.chunking_strategy)
    return [NewFile(file_id, body.attributes or {}, chunking) for file_id in body.file_ids]


async def get(session: AsyncSession, store: VectorStore, batch_id: str, *, lock: bool = False) -> FileBatch:
    """One batch of a vector store. Raises NotFound."""
    statement = scoped(FileBatch, store.project_id).where(
        FileBatch.vector_store_id == store.id, FileBatch.id == batch_id
    )
    if lock:
        statement = statement.with_for_update()
    batch = (await session.execute(statement)).scalar_one_or_none()
    if batch is None:
        raise NotFound.of(FileBatch.__tablename__, batch_id)
    return batch


async def list_files(
    session: AsyncSession, store: VectorStore, batch_id: str, page: PageQuery, status: Status | None = None
) -> Page[VectorStoreFile]:
    """A page of a batch's files, of one `status` if it is given. Raises NotFound, InvalidRequest for the cursors."""
    batch = await get(session, store, batch_id)
    files = scoped(VectorStoreFile, store.project_id).where(_is_in(batch))
    return await paginate(session, with_status(files, status), VectorStoreFile, page)


def _is_in(batch: FileBatch) -> ColumnElement[bool]:
    members = select(FileBatchMember.file_id).where(FileBatchMember.batch_id == batch.id)
    return and_(VectorStoreFile.vector_store_id == batch.vector_store_id, VectorStoreFile.id.in_(members))


async def cancel(session: AsyncSession, store: VectorStore, batch_id: str) -> FileBatch:
    """Cancels what is in progress of a batch: its ingestion writes nothing from now on. What is done stays.

    A batch with nothing in progress is left as it is. Raises NotFound.
    """
    await session.execute(select(VectorStore.id).where(VectorStore.id == store.id).with_for_update(key_share=True))
    batch = await get(session, store, batch_id, lock=True)
    cancelled = await session.scalars(
        update(VectorStoreFile)
        .where(_is_in(batch), VectorStoreFile.status == FileStatus.IN_PROGRESS)
        .values(status=FileStatus.CANCELLED, lease_expires_at=None)
        .returning(VectorStoreFile.id)
        .execution_options(synchronize_session=False)
    )
    if file_ids := list(cancelled):
        batch.status = FileStatus.CANCELLED
        await be_patient(session)
        await session.execute(delete(Chunk).where(Chunk.vector_store_id == store.id, Chunk.file_id.in_(file_ids)))
        await session.flush()
        ingestion_stop_after_commit(session, store.id)
    return batch


async def shown(session: AsyncSession, batch: FileBatch) -> schemas.FileBatch:
    """A batch as it is answered."""
    files_of = select(FileBatchMember.batch_id, VectorStoreFile.status, VectorStoreFile.usage_bytes).where(
        FileBatchMember.batch_id == batch.id,
        VectorStoreFile.vector_store_id == FileBatchMember.vector_store_id,
        VectorStoreFile.id == FileBatchMember.file_id,
    )
    tally = (await vector_store_files.tallies(session, files_of)).get(batch.id, Tally())
    return schemas.FileBatch.model_validate(
        {
            "id": batch.id,
            "created_at": batch.created_at,
            "vector_store_id": batch.vector_store_id,
            "status": _status(batch, tally),
            "file_counts": tally.file_counts,
        }
    )


def _status(batch: FileBatch, tally: Tally) -> str:
    if batch.status == FileStatus.CANCELLED:
        return FileStatus.CANCELLED
    if FileStatus.IN_PROGRESS in tally.by_status:
        return FileStatus.IN_PROGRESS
    return FileStatus.FAILED if set(tally.by_status) == {FileStatus.FAILED} else FileStatus.COMPLETED
