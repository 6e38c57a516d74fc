"""`/threads/{thread_id}/messages`."""

from typing import Annotated

from fastapi import APIRouter, Body, Query

from app import ids
from app.deps import MessageId, PageDep, ProjectDep, RequireBeta, SessionDep, ThreadId
from app.json_body import JsonRoute
from app.schemas.common import ListPage, id_of
from app.schemas.messages import Message, MessageCreate, MessageDeleted, MessageModify
from app.services import messages, threads

router = APIRouter(
    prefix="/threads/{thread_id}/messages", tags=["Messages"], route_class=JsonRoute, dependencies=[RequireBeta]
)


@router.post("")
async def create_message(thread_id: ThreadId, body: MessageCreate, project: ProjectDep, session: SessionDep) -> Message:
    return Message.model_validate(await threads.add_message(session, project, thread_id, body))


@router.get("")
async def list_messages(
    thread_id: ThreadId,
    page: PageDep,
    project: ProjectDep,
    session: SessionDep,
    run_id: Annotated[str | None, Query(), id_of(ids.RUN)] = None,
) -> ListPage[Message]:
    found = await messages.list_page(session, project, thread_id, page, run_id)
    return ListPage[Message].of(found.rows, has_more=found.has_more)


@router.get("/{message_id}")
async def get_message(thread_id: ThreadId, message_id: MessageId, project: ProjectDep, session: SessionDep) -> Message:
    return Message.model_validate(await messages.get(session, project, thread_id, message_id))


@router.post("/{message_id}")
async def modify_message(
    thread_id: ThreadId,
    message_id: MessageId,
    body: Annotated[MessageModify, Body(default_factory=MessageModify)],
    project: ProjectDep,
    session: SessionDep,
) -> Message:
    return Message.model_validate(await messages.modify(session, project, thread_id, message_id, body))


@router.delete("/{message_id}")
async def delete_message(
    thread_id: ThreadId, message_id: MessageId, project: ProjectDep, session: SessionDep
) -> MessageDeleted:
    await messages.delete(session, project, thread_id, message_id)
    return MessageDeleted(id=message_id)
