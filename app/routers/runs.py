"""`/threads/{thread_id}/runs` and `/threads/runs`."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Depends, Header, Response
from fastapi.responses import StreamingResponse

from app.deps import (
    IncludeDep,
    PageDep,
    ProjectDep,
    RequireBeta,
    RunId,
    SessionDep,
    SettingsDep,
    ThreadId,
)
from app.errors import InvalidRequest
from app.events import START, Place
from app.json_body import JsonRoute
from app.schemas.common import ListPage
from app.schemas.runs import Run, RunCreate, RunModify, SubmitToolOutputs, ThreadAndRunCreate
from app.services import runs
from app.streams import Streams, get_streams

router = APIRouter(prefix="/threads", tags=["Runs"], route_class=JsonRoute, dependencies=[RequireBeta])


StreamsDep = Annotated[Streams, Depends(get_streams)]
#: With `stream`, the answer is events.
_STREAMED: Final[dict[int | str, Any]] = {200: {"content": {"text/event-stream": {}}}}


@router.post("/runs", response_model=Run, responses=_STREAMED)
async def create_thread_and_run(
    body: ThreadAndRunCreate, settings: SettingsDep, project: ProjectDep, session: SessionDep, streams: StreamsDep
) -> Run | Response:
    run = await runs.create_thread_and_run(session, settings, project, body)
    return streams.follow(project, run.id, START) if body.stream else Run.model_validate(run)


@router.post("/{thread_id}/runs", response_model=Run, responses=_STREAMED)
async def create_run(
    thread_id: ThreadId,
    body: RunCreate,
    include: IncludeDep,
    settings: SettingsDep,
    project: ProjectDep,
    session: SessionDep,
    streams: StreamsDep,
) -> Run | Response:
    run = await runs.create(session, settings, project, thread_id, body, include)
    return streams.follow(project, run.id, START) if body.stream else Run.model_validate(run)


@router.get("/{thread_id}/runs")
async def list_runs(thread_id: ThreadId, page: PageDep, project: ProjectDep, session: SessionDep) -> ListPage[Run]:
    found = await runs.list_page(session, project, thread_id, page)
    return ListPage[Run].of(found.rows, has_more=found.has_more)


@router.get("/{thread_id}/runs/{run_id}")
async def get_run(
    thread_id: ThreadId,
    run_id: RunId,
    settings: SettingsDep,
    project: ProjectDep,
    session: SessionDep,
    response: Response,
) -> Run:
    response.headers["openai-poll-after-ms"] = str(settings.poll_after_ms)
    return Run.model_validate(await runs.get(session, project, thread_id, run_id))


@router.post("/{thread_id}/runs/{run_id}")
async def modify_run(
    thread_id: ThreadId,
    run_id: RunId,
    body: Annotated[RunModify, Body(default_factory=RunModify)],
    project: ProjectDep,
    session: SessionDep,
) -> Run:
    return Run.model_validate(await runs.modify(session, project, thread_id, run_id, body))


@router.post("/{thread_id}/runs/{run_id}/cancel")
async def cancel_run(thread_id: ThreadId, run_id: RunId, project: ProjectDep, session: SessionDep) -> Run:
    return await runs.cancel(session, project, thread_id, run_id)


@router.post("/{thread_id}/runs/{run_id}/submit_tool_outputs", response_model=Run, responses=_STREAMED)
async def submit_tool_outputs(
    thread_id: ThreadId,
    run_id: RunId,
    body: SubmitToolOutputs,
    project: ProjectDep,
    session: SessionDep,
    streams: StreamsDep,
) -> Run | Response:
    run = await runs.submit_tool_outputs(session, project, thread_id, run_id, body)
    return streams.follow(project, run.id, Place(run.attempt, 0)) if body.stream else Run.model_validate(run)


@router.get("/{thread_id}/runs/{run_id}/events", response_class=StreamingResponse, responses=_STREAMED)
async def follow_run(
    thread_id: ThreadId,
    run_id: RunId,
    project: ProjectDep,
    session: SessionDep,
    streams: StreamsDep,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """The run's events as server-sent events: from the first, or from where a reader was cut off."""
    await runs.get(session, project, thread_id, run_id)
    return streams.follow(project, run_id, START if last_event_id is None else _place(last_event_id))


def _place(event_id: str) -> Place:
    try:
        return Place.parse(event_id)
    except ValueError:
        message = "Invalid 'Last-Event-ID'. Expected the id of an event of this run."
        raise InvalidRequest(message, param="Last-Event-ID", code="invalid_value") from None
