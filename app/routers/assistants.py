"""`/assistants`."""

from typing import Annotated

from fastapi import APIRouter, Body

from app.deps import AssistantId, PageDep, ProjectDep, RequireBeta, SessionDep
from app.json_body import JsonRoute
from app.schemas.assistants import Assistant, AssistantCreate, AssistantDeleted, AssistantModify
from app.schemas.common import ListPage
from app.services import assistants

router = APIRouter(prefix="/assistants", tags=["Assistants"], route_class=JsonRoute, dependencies=[RequireBeta])


@router.post("")
async def create_assistant(body: AssistantCreate, project: ProjectDep, session: SessionDep) -> Assistant:
    return Assistant.model_validate(await assistants.create(session, project, body))


@router.get("")
async def list_assistants(page: PageDep, project: ProjectDep, session: SessionDep) -> ListPage[Assistant]:
    found = await assistants.list_page(session, project, page)
    return ListPage[Assistant].of(found.rows, has_more=found.has_more)


@router.get("/{assistant_id}")
async def get_assistant(assistant_id: AssistantId, project: ProjectDep, session: SessionDep) -> Assistant:
    return Assistant.model_validate(await assistants.get(session, project, assistant_id))


@router.post("/{assistant_id}")
async def modify_assistant(
    assistant_id: AssistantId,
    body: Annotated[AssistantModify, Body(default_factory=AssistantModify)],
    project: ProjectDep,
    session: SessionDep,
) -> Assistant:
    return Assistant.model_validate(await assistants.modify(session, project, assistant_id, body))


@router.delete("/{assistant_id}")
async def delete_assistant(assistant_id: AssistantId, project: ProjectDep, session: SessionDep) -> AssistantDeleted:
    await assistants.delete(session, project, assistant_id)
    return AssistantDeleted(id=assistant_id)
