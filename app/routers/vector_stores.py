"""`/vector_stores`. Here, and in what lies below it, no beta header is asked for (contract, section 1.1)."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends

from app import models
from app.deps import PageDep, ProjectDep, SessionDep, VectorStoreId
from app.json_body import JsonRoute
from app.schemas.common import ListPage
from app.schemas.vector_stores import VectorStore, VectorStoreCreate, VectorStoreDeleted, VectorStoreModify
from app.services import vector_stores

router = APIRouter(prefix="/vector_stores", tags=["Vector stores"], route_class=JsonRoute)


async def get_store(vector_store_id: VectorStoreId, project: ProjectDep, session: SessionDep) -> models.VectorStore:
    """The vector store that the path names. Raises NotFound."""
    return await vector_stores.get(session, project, vector_store_id)


#: For routes below `/vector_stores/{vector_store_id}`.
StoreDep = Annotated[models.VectorStore, Depends(get_store)]


@router.post("")
async def create_vector_store(
    body: Annotated[VectorStoreCreate, Body(default_factory=VectorStoreCreate)],
    project: ProjectDep,
    session: SessionDep,
) -> VectorStore:
    return await vector_stores.shown(session, await vector_stores.create(session, project, body))


@router.get("")
async def list_vector_stores(page: PageDep, project: ProjectDep, session: SessionDep) -> ListPage[VectorStore]:
    found = await vector_stores.list_page(session, project, page)
    return ListPage[VectorStore].of(await vector_stores.all_shown(session, found.rows), has_more=found.has_more)


@router.get("/{vector_store_id}")
async def get_vector_store(store: StoreDep, session: SessionDep) -> VectorStore:
    return await vector_stores.shown(session, store)


@router.post("/{vector_store_id}")
async def modify_vector_store(
    vector_store_id: VectorStoreId,
    body: Annotated[VectorStoreModify, Body(default_factory=VectorStoreModify)],
    project: ProjectDep,
    session: SessionDep,
) -> VectorStore:
    return await vector_stores.shown(session, await vector_stores.modify(session, project, vector_store_id, body))


@router.delete("/{vector_store_id}")
async def delete_vector_store(
    vector_store_id: VectorStoreId, project: ProjectDep, session: SessionDep
) -> VectorStoreDeleted:
    await vector_stores.delete(session, project, vector_store_id)
    return VectorStoreDeleted(id=vector_store_id)
