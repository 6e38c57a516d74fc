"""Routes that only v1 has, or has with other effects. Requests for v2 do not see them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Body
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.routing import Match
from starlette.types import Scope

from app.deps import AssistantId, MessageId, PageDep, ProjectDep, RequireBeta, SessionDep, ThreadId
from app.errors import NotFound
from app.json_body import JsonRoute
from app.models import File
from app.pagination import PageQuery, scoped
from app.schemas.assistants import Assistant, AssistantDeleted
from app.schemas.common import ListPage
from app.services import assistants, messages
from app.v1 import answers, assistant_files
from app.v1.schemas import AssistantChange, AssistantFile, AssistantFileCreate, AssistantFileDeleted, MessageFile
from app.v1.scope import is_marked


class V1Route(JsonRoute):
    """A route for requests that were made for v1."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return super().matches(scope) if is_marked(scope) else (Match.NONE, {})


router = APIRouter(route_class=V1Route, dependencies=[RequireBeta], include_in_schema=False)


@router.post("/assistants/{assistant_id}")
async def modify_assistant_v1(
    assistant_id: AssistantId,
    body: Annotated[AssistantChange, Body(default_factory=AssistantChange)],
    project: ProjectDep,
    session: SessionDep,
) -> Assistant:
    return Assistant.model_validate(await assistant_files.modify(session, project, assistant_id, body))


@router.delete("/assistants/{assistant_id}")
async def delete_assistant_v1(assistant_id: AssistantId, project: ProjectDep, session: SessionDep) -> AssistantDeleted:
    await assistant_files.delete_assistant(session, project, assistant_id)
    return AssistantDeleted(id=assistant_id)


@router.post("/assistants/{assistant_id}/files")
async def create_assistant_file(
    assistant_id: AssistantId, body: AssistantFileCreate, project: ProjectDep, session: SessionDep
) -> AssistantFile:
    await assistant_files.add(session, project, assistant_id, body.file_id)
    (file,) = await _rows(session, project, [body.file_id])
    return _of_assistant(assistant_id, file)


@router.get("/assistants/{assistant_id}/files")
async def list_assistant_files(
    assistant_id: AssistantId, page: PageDep, project: ProjectDep, session: SessionDep
) -> ListPage[AssistantFile]:
    file_ids = await assistant_files.of(session, await assistants.get(session, project, assistant_id))
    rows, has_more = _page(await _rows(session, project, file_ids), page)
    return ListPage[AssistantFile].of([_of_assistant(assistant_id, file) for file in rows], has_more=has_more)


@router.get("/assistants/{assistant_id}/files/{file_id}")
async def get_assistant_file(
    assistant_id: AssistantId, file_id: str, project: ProjectDep, session: SessionDep
) -> AssistantFile:
    file_ids = await assistant_files.of(session, await assistants.get(session, project, assistant_id))
    return _of_assistant(assistant_id, await _one(session, project, file_id, file_ids))


@router.delete("/assistants/{assistant_id}/files/{file_id}")
async def delete_assistant_file(
    assistant_id: AssistantId, file_id: str, project: ProjectDep, session: SessionDep
) -> AssistantFileDeleted:
    await assistant_files.remove(session, project, assistant_id, file_id)
    return AssistantFileDeleted(id=file_id)


@router.get("/threads/{thread_id}/messages/{message_id}/files")
async def list_message_files(
    thread_id: ThreadId, message_id: MessageId, page: PageDep, project: ProjectDep, session: SessionDep
) -> ListPage[MessageFile]:
    message = await messages.get(session, project, thread_id, message_id)
    found, has_more = _page(await _rows(session, project, answers.attached(message.attachments)), page)
    return ListPage[MessageFile].of([_of_message(message_id, file) for file in found], has_more=has_more)


@router.get("/threads/{thread_id}/messages/{message_id}/files/{file_id}")
async def get_message_file(
    thread_id: ThreadId, message_id: MessageId, file_id: str, project: ProjectDep, session: SessionDep
) -> MessageFile:
    message = await messages.get(session, project, thread_id, message_id)
    return _of_message(message_id, await _one(session, project, file_id, answers.attached(message.attachments)))


async def _rows(session: AsyncSession, project_id: str, file_ids: Sequence[str]) -> list[File]:
    """The files of these ids that still are, in their order."""
    found = {file.id: file for file in await session.scalars(scoped(File, project_id).where(File.id.in_(file_ids)))}
    return [found[file_id] for file_id in file_ids if file_id in found]


async def _one(session: AsyncSession, project_id: str, file_id: str, among: Sequence[str]) -> File:
    assistant_files.require_among(file_id, among)
    for file in await _rows(session, project_id, [file_id]):
        return file
    raise NotFound.of("files", file_id)


def _page(rows: Sequence[File], page: PageQuery) -> tuple[Sequence[File], bool]:
    """A page of a list that is short enough to be here as a whole. Raises NotFound for the cursors."""
    rows = rows if page.order == "asc" else rows[::-1]
    ids = [file.id for file in rows]
    for cursor in filter(None, (page.after, page.before)):
        assistant_files.require_among(cursor, ids)
    start = ids.index(page.after) + 1 if page.after else 0
    stop = ids.index(page.before) if page.before else len(rows)
    rows = rows[start:stop]
    if page.before and not page.after:
        return rows[-page.limit :], len(rows) > page.limit
    return rows[: page.limit], len(rows) > page.limit


def _of_assistant(assistant_id: str, file: File) -> AssistantFile:
    return AssistantFile(id=file.id, created_at=_seconds(file), assistant_id=assistant_id)


def _of_message(message_id: str, file: File) -> MessageFile:
    return MessageFile(id=file.id, created_at=_seconds(file), message_id=message_id)


def _seconds(file: File) -> int:
    return int(file.created_at.timestamp())
