"""`/vector_stores/{vector_store_id}/file_batches`."""

from fastapi import APIRouter, Response

from app.deps import BatchId, PageDep, SessionDep, SettingsDep
from app.json_body import JsonRoute
from app.routers.vector_store_files import FilterQuery
from app.routers.vector_stores import StoreDep
from app.schemas.common import ListPage
from app.schemas.file_batches import FileBatch, FileBatchCreate
from app.schemas.vector_store_files import VectorStoreFile
from app.services import file_batches

router = APIRouter(
    prefix="/vector_stores/{vector_store_id}/file_batches",
    tags=["Vector store file batches"],
    route_class=JsonRoute,
)


@router.post("")
async def create_file_batch(body: FileBatchCreate, store: StoreDep, session: SessionDep) -> FileBatch:
    return await file_batches.shown(session, await file_batches.create(session, store, body))


@router.get("/{batch_id}")
async def get_file_batch(
    batch_id: BatchId, store: StoreDep, settings: SettingsDep, session: SessionDep, response: Response
) -> FileBatch:
    response.headers["openai-poll-after-ms"] = str(settings.poll_after_ms)
    return await file_batches.shown(session, await file_batches.get(session, store, batch_id))


@router.post("/{batch_id}/cancel")
async def cancel_file_batch(batch_id: BatchId, store: StoreDep, session: SessionDep) -> FileBatch:
    return await file_batches.shown(session, await file_batches.cancel(session, store, batch_id))


@router.get("/{batch_id}/files")
async def list_file_batch_files(
    batch_id: BatchId, store: StoreDep, page: PageDep, session: SessionDep, status: FilterQuery = None
) -> ListPage[VectorStoreFile]:
    found = await file_batches.list_files(session, store, batch_id, page, status)
    return ListPage[VectorStoreFile].of(found.rows, has_more=found.has_more)
