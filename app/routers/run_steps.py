"""`/threads/{thread_id}/runs/{run_id}/steps`."""

from fastapi import APIRouter

from app.deps import IncludeDep, PageDep, ProjectDep, RequireBeta, RunId, SessionDep, StepId, ThreadId
from app.json_body import JsonRoute
from app.schemas.common import ListPage
from app.schemas.run_steps import RunStep, shown
from app.services import run_steps

router = APIRouter(
    prefix="/threads/{thread_id}/runs/{run_id}/steps",
    tags=["Run steps"],
    route_class=JsonRoute,
    dependencies=[RequireBeta],
)


@router.get("")
async def list_run_steps(
    thread_id: ThreadId,
    run_id: RunId,
    page: PageDep,
    include: IncludeDep,
    project: ProjectDep,
    session: SessionDep,
) -> ListPage[RunStep]:
    found = await run_steps.list_page(session, project, thread_id, run_id, page)
    return ListPage[RunStep].of([shown(step, include) for step in found.rows], has_more=found.has_more)


@router.get("/{step_id}")
async def get_run_step(
    thread_id: ThreadId,
    run_id: RunId,
    step_id: StepId,
    include: IncludeDep,
    project: ProjectDep,
    session: SessionDep,
) -> RunStep:
    return shown(await run_steps.get(session, project, thread_id, run_id, step_id), include)
