"""Lists of a whole project: its threads and its runs, the newest first, by filters."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.base import ApiObject
from app.models import Message, Run, Thread
from app.pagination import Page, PageQuery, Row, paginate, scoped
from app.schemas.project_lists import LastMessage, LastRun, ListedThread

#: Characters of a message in a list.
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Filters:
    """What a listed object must be. A field that is not given filters nothing; times are included."""

    created_after: datetime | None = None
    created_before: datetime | None = None
    assistant_id: str | None = None
    thread_id: str | None = None
    statuses: Sequence[str] = ()


async def list_threads(session: AsyncSession, project_id: str, filters: Filters, page: PageQuery) -> Page[Thread]:
    """A page of the project's threads. With `assistant_id`, those that it has run on."""
    statement = _made_between(scoped(Thread, project_id), Thread, filters)
    if filters.assistant_id is not None:
        has_run = select(Run.id).where(Run.thread_id == Thread.id, Run.assistant_id == filters.assistant_id)
        statement = statement.where(has_run.exists())
    return await paginate(session, statement, Thread, page)


async def list_runs(session: AsyncSession, project_id: str, filters: Filters, page: PageQuery) -> Page[Run]:
    """A page of the project's runs, on whatever thread."""
    statement = _made_between(scoped(Run, project_id), Run, filters)
    if filters.assistant_id is not None:
        statement = statement.where(Run.assistant_id == filters.assistant_id)
    if filters.thread_id is not None:
        statement = statement.where(Run.thread_id == filters.thread_id)
    if filters.statuses:
        statement = statement.where(Run.status.in_(filters.statuses))
    return await paginate(session, statement, Run, page)


async def with_newest(session: AsyncSession, threads: Sequence[Thread]) -> list[ListedThread]:
    """The threads, each with its newest message and run."""
    message = _newest(Message, Message.id, Message.role, Message.content)
    run = _newest(Run, Run.id, Run.status, Run.assistant_id)
    columns = (Thread.id, message.c.id, message.c.role, message.c.content, run.c.id, run.c.status, run.c.assistant_id)
    statement = select(*columns).select_from(Thread).outerjoin(message, true()).outerjoin(run, true())
    rows = await session.execute(statement.where(Thread.id.in_([thread.id for thread in threads])))
    newest = {row[0]: row[1:] for row in rows}
    return [_listed(thread, *newest[thread.id]) for thread in threads]


def _made_between(statement: Select[Row], model: type[ApiObject], filters: Filters) -> Select[Row]:
    if filters.created_after is not None:
        statement = statement.where(model.created_at >= filters.created_after)
    if filters.created_before is not None:
        statement = statement.where(model.created_at <= filters.created_before)
    return statement


def _newest(model: type[Message] | type[Run], *columns: Any) -> Any:
    """The newest row of a thread, whatever its length: a join with all of them would read a long one to its end."""
    return select(*columns).where(model.thread_id == Thread.id).order_by(model.seq.desc()).limit(1).lateral()


def _listed(
    thread: Thread,
    message_id: str | None,
    role: str,
    content: list[dict[str, Any]],
    run_id: str | None,
    status: str,
    assistant_id: str,
) -> ListedThread:
    shown = {name: getattr(thread, name) for name in ("id", "created_at", "metadata_", "tool_resources")}
    message = message_id and LastMessage(id=message_id, role=role, text=_beginning(content))
    run = run_id and LastRun(id=run_id, status=status, assistant_id=assistant_id)
    return ListedThread.model_validate({**shown, "last_message": message, "last_run": run})


def _beginning(content: list[dict[str, Any]]) -> str:
    texts = [part["text"]["value"] for part in content if part["type"] == "text"]
    return " ".join(" ".join(texts).split())[:_SHOWN]
