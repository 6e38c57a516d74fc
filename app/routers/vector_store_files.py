"""`/vector_stores/{vector_store_id}/files`."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.deps import FileId, PageDep, SessionDep, SettingsDep
from app.json_body import JsonRoute
from app.routers.vector_stores import StoreDep
from app.schemas.common import ListPage
from app.schemas.vector_store_files import (
    FileContentPage,
    FileContentPart,
    Status,
    VectorStoreFile,
    VectorStoreFileCreate,
    VectorStoreFileDeleted,
    VectorStoreFileModify,
)
from app.services import vector_store_files

router = APIRouter(prefix="/vector_stores/{vector_store_id}/files", tags=["Vector store files"], route_class=JsonRoute)

#: `filter` of the lists: only files of this status.
FilterQuery = Annotated[Status | None, Query(alias="filter")]


@router.post("")
async def create_vector_store_file(
    body: VectorStoreFileCreate, store: StoreDep, session: SessionDep
) -> VectorStoreFile:
    return VectorStoreFile.model_validate(await vector_store_files.create(session, store, body))


@router.get("")
async def list_vector_store_files(
    store: StoreDep, page: PageDep, session: SessionDep, status: FilterQuery = None
) -> ListPage[VectorStoreFile]:
    found = await vector_store_files.list_page(session, store, page, status)
    return ListPage[VectorStoreFile].of(found.rows, has_more=found.has_more)


@router.get("/{file_id}")
async def get_vector_store_file(
    file_id: FileId, store: StoreDep, settings: SettingsDep, session: SessionDep, response: Response
) -> VectorStoreFile:
    response.headers["openai-poll-after-ms"] = str(settings.poll_after_ms)
    return VectorStoreFile.model_validate(await vector_store_files.get(session, store, file_id))


@router.post("/{file_id}")
async def modify_vector_store_file(
    file_id: FileId, body: VectorStoreFileModify, store: StoreDep, session: SessionDep
) -> VectorStoreFile:
    return VectorStoreFile.model_validate(await vector_store_files.modify(session, store, file_id, body))


@router.delete("/{file_id}")
async def delete_vector_store_file(file_id: FileId, store: StoreDep, session: SessionDep) -> VectorStoreFileDeleted:
    await vector_store_files.detach(session, store, file_id)
    return VectorStoreFileDeleted(id=file_id)


@router.get("/{file_id}/content")
async def get_vector_store_file_content(file_id: FileId, store: StoreDep, session: SessionDep) -> FileContentPage:
    return FileContentPage(data=[FileContentPart(text=await vector_store_files.content(session, store, file_id))])
