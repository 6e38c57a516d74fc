"""`GET /threads` and `GET /runs`: lists of a whole project. Extensions of Locum: OpenAI's API has neither."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from app.deps import PageDep, ProjectDep, RequireBeta, SessionDep
from app.json_body import JsonRoute
from app.schemas.common import ListPage
from app.schemas.project_lists import ListedThread
from app.schemas.runs import Run, Status
from app.services import project_lists
from app.services.project_lists import Filters

router = APIRouter(tags=["Project"], route_class=JsonRoute, dependencies=[RequireBeta])

#: Unix seconds, up to the year 9999.
_Seconds = Annotated[int | None, Query(ge=0, le=253_402_300_799)]
_Id = Annotated[str | None, Query(max_length=256)]


async def _filters(
    created_after: _Seconds = None, created_before: _Seconds = None, assistant_id: _Id = None
) -> Filters:
    return Filters(_time(created_after), _time(created_before), assistant_id)


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


_FiltersDep = Annotated[Filters, Depends(_filters)]


@router.get("/threads")
async def list_threads(
    page: PageDep, filters: _FiltersDep, project: ProjectDep, session: SessionDep
) -> ListPage[ListedThread]:
    """The project's threads; with `assistant_id`, those that it has run on."""
    found = await project_lists.list_threads(session, project, filters, page)
    shown = await project_lists.with_newest(session, found.rows)
    return ListPage[ListedThread].of(shown, has_more=found.has_more)


@router.get("/runs")
async def list_all_runs(
    page: PageDep,
    filters: _FiltersDep,
    project: ProjectDep,
    session: SessionDep,
    thread_id: _Id = None,
    status: Annotated[list[Status] | None, Query()] = None,
) -> ListPage[Run]:
    """The project's runs, on whatever thread; of several statuses if `status` is given several times."""
    narrower = replace(filters, thread_id=thread_id, statuses=status or ())
    found = await project_lists.list_runs(session, project, narrower, page)
    return ListPage[Run].of(found.rows, has_more=found.has_more)
