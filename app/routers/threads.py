"""`/threads`."""

from typing import Annotated

from fastapi import APIRouter, Body

from app.deps import ProjectDep, RequireBeta, SessionDep, ThreadId
from app.json_body import JsonRoute
from app.schemas.threads import Thread, ThreadCreate, ThreadDeleted, ThreadModify
from app.services import threads

router = APIRouter(prefix="/threads", tags=["Threads"], route_class=JsonRoute, dependencies=[RequireBeta])


@router.post("")
async def create_thread(
    body: Annotated[ThreadCreate, Body(default_factory=ThreadCreate)], project: ProjectDep, session: SessionDep
) -> Thread:
    return Thread.model_validate(await threads.create(session, project, body))


@router.get("/{thread_id}")
async def get_thread(thread_id: ThreadId, project: ProjectDep, session: SessionDep) -> Thread:
    return Thread.model_validate(await threads.get(session, project, thread_id))


@router.post("/{thread_id}")
async def modify_thread(
    thread_id: ThreadId,
    body: Annotated[ThreadModify, Body(default_factory=ThreadModify)],
    project: ProjectDep,
    session: SessionDep,
) -> Thread:
    return Thread.model_validate(await threads.modify(session, project, thread_id, body))


@router.delete("/{thread_id}")
async def delete_thread(thread_id: ThreadId, project: ProjectDep, session: SessionDep) -> ThreadDeleted:
    await threads.delete(session, project, thread_id)
    return ThreadDeleted(id=thread_id)
