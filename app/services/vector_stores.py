"""Vector stores. Their counts are counted when they are asked for, so they are always true."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import ids
from app.db.base import now
from app.db.session import be_patient
from app.domain.statuses import FileStatus, StoreStatus
from app.errors import InvalidRequest, NotFound
from app.models import VectorStore, VectorStoreFile
from app.pagination import Page, PageQuery, paginate, scoped
from app.schemas import vector_stores as schemas
from app.schemas.chunking import stored_chunking
from app.services import store_expiry, vector_store_files
from app.services.vector_store_files import NewFile, Tally
from app.signals import ingestion_stop_after_commit

touch = store_expiry.touch


async def create(session: AsyncSession, project_id: str, body: schemas.VectorStoreCreate) -> VectorStore:
    """Makes a vector store, and adds the files that the request names. Raises as vector_store_files.attach."""
    if body.chunking_strategy is not None and not body.file_ids:
        message = "Invalid 'chunking_strategy': it is for the files of 'file_ids', and there are none."
        raise InvalidRequest(message, param="chunking_strategy", code="invalid_value")
    expires_after = None if body.expires_after is None else body.expires_after.model_dump()
    at = now()
    store = VectorStore(
        id=ids.new(ids.VECTOR_STORE),
        project_id=project_id,
        created_at=at,
        name=body.name,
        description=body.description,
        expires_after=expires_after,
        expires_at=store_expiry.expiry(expires_after, at),
        last_active_at=at,
        metadata_=body.metadata or {},
    )
    session.add(store)
    await session.flush()
    if body.file_ids:
        chunking = stored_chunking(body.chunking_strategy)
        new_files = [NewFile(file_id, chunking_strategy=chunking) for file_id in body.file_ids]
        await vector_store_files.attach(session, store, new_files)
    return store


async def get(session: AsyncSession, project_id: str, store_id: str, *, lock: bool = False) -> VectorStore:
    """One vector store. `lock` keeps others from changing it until the end of the transaction. Raises NotFound."""
    statement = scoped(VectorStore, project_id).where(VectorStore.id == store_id)
    if lock:
        statement = statement.with_for_update()
    store = (await session.execute(statement)).scalar_one_or_none()
    if store is None:
        raise NotFound.of(VectorStore.__tablename__, store_id)
    return store


async def require_usable(session: AsyncSession, project_id: str, store_ids: Sequence[str]) -> list[VectorStore]:
    """These vector stores, in the order given. Raises NotFound, and InvalidRequest for one that has expired."""
    statement = scoped(VectorStore, project_id).where(VectorStore.id.in_(list(store_ids)))
    found = {store.id: store for store in await session.scalars(statement)}
    for store_id in store_ids:
        if store_id not in found:
            raise NotFound.of(VectorStore.__tablename__, store_id)
        store_expiry.refuse_expired(found[store_id])
    return [found[store_id] for store_id in store_ids]


async def list_page(session: AsyncSession, project_id: str, page: PageQuery) -> Page[VectorStore]:
    """A page of the project's vector stores. Raises NotFound, InvalidRequest for the cursors."""
    return await paginate(session, scoped(VectorStore, project_id), VectorStore, page)


async def modify(session: AsyncSession, project_id: str, store_id: str, body: schemas.VectorStoreModify) -> VectorStore:
    """Changes what the request names; null clears it. To change a store is to use it.

    Raises NotFound, and InvalidRequest for a store that has expired.
    """
    store = await get(session, project_id, store_id, lock=True)
    store_expiry.refuse_expired(store)
    given = body.model_fields_set
    for name in given.intersection(("name", "description")):
        setattr(store, name, getattr(body, name))
    if "expires_after" in given:
        store.expires_after = None if body.expires_after is None else body.expires_after.model_dump()
    if "metadata" in given:
        store.metadata_ = body.metadata or {}
    store_expiry.be_active(store)
    await session.flush()
    return store


async def delete(session: AsyncSession, project_id: str, store_id: str) -> None:
    """Deletes a vector store with all that is searched in it; the files themselves stay. Raises NotFound."""
    await be_patient(session)
    await session.delete(await get(session, project_id, store_id, lock=True))
    await session.flush()
    ingestion_stop_after_commit(session, store_id)


async def shown(session: AsyncSession, store: VectorStore) -> schemas.VectorStore:
    """A vector store as it is answered."""
    (answer,) = await all_shown(session, [store])
    return answer


async def all_shown(session: AsyncSession, stores: Sequence[VectorStore]) -> list[schemas.VectorStore]:
    """Vector stores as they are answered, counted together."""
    files_of = select(VectorStoreFile.vector_store_id, VectorStoreFile.status, VectorStoreFile.usage_bytes).where(
        VectorStoreFile.vector_store_id.in_([store.id for store in stores])
    )
    tallies = await vector_store_files.tallies(session, files_of)
    return [_shown(store, tallies.get(store.id, Tally())) for store in stores]


def _shown(store: VectorStore, tally: Tally) -> schemas.VectorStore:
    if store_expiry.is_expired(store):
        status = StoreStatus.EXPIRED
    else:
        status = StoreStatus.IN_PROGRESS if FileStatus.IN_PROGRESS in tally.by_status else StoreStatus.COMPLETED
    columns = {name: getattr(store, name) for name in _COLUMNS}
    return schemas.VectorStore.model_validate(
        {**columns, "status": status, "usage_bytes": tally.usage_bytes, "file_counts": tally.file_counts}
    )


_COLUMNS = ("id", "created_at", "name", "description", "expires_after", "expires_at", "last_active_at", "metadata_")
