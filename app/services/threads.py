"""Threads, and what is done to one as a whole: locking it, adding a message, deleting it with all it holds."""

from typing import Final

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from app import ids
from app.db.session import be_patient
from app.domain.statuses import ACTIVE
from app.errors import InvalidRequest, NotFound
from app.models import Message, Run, Thread
from app.pagination import scoped
from app.schemas import messages as message_schemas
from app.schemas import threads as schemas
from app.services import messages, tool_resources
from app.signals import forget_after_commit


async def create(session: AsyncSession, project_id: str, body: schemas.ThreadCreate) -> Thread:
    """Makes a thread with the messages that the request brings. Raises InvalidRequest if they are too many,
    NotFound for files and vector stores that are not there.
    """
    thread = Thread(
        id=ids.new(ids.THREAD),
        project_id=project_id,
        tool_resources=await tool_resources.stored(session, project_id, body.tool_resources, expires=True),
        metadata_=body.metadata or {},
    )
    session.add(thread)
    await session.flush()
    await messages.add(session, thread, body.messages)
    return thread


async def get(session: AsyncSession, project_id: str, thread_id: str) -> Thread:
    """One thread. Raises NotFound."""
    return await _find(session, project_id, thread_id, lock=False)


async def lock(session: AsyncSession, project_id: str, thread_id: str) -> Thread:
    """One thread, held until the end of the transaction by whoever adds to it or deletes it. Raises NotFound."""
    return await _find(session, project_id, thread_id, lock=True)


async def _find(session: AsyncSession, project_id: str, thread_id: str, *, lock: bool) -> Thread:
    statement = scoped(Thread, project_id).where(Thread.id == thread_id)
    if lock:
        statement = statement.with_for_update()
    thread = (await session.execute(statement)).scalar_one_or_none()
    if thread is None:
        raise NotFound.of(Thread.__tablename__, thread_id)
    return thread


#: Asked for every run and message, so made once.
_ACTIVE_RUN: Final = select(Run.id).where(Run.thread_id == bindparam("thread_id"), Run.status.in_(ACTIVE))


async def active_run(session: AsyncSession, thread_id: str) -> str | None:
    """The id of the run that keeps others, and messages, off a thread, if there is one."""
    return await session.scalar(_ACTIVE_RUN, {"thread_id": thread_id})


async def add_message(
    session: AsyncSession, project_id: str, thread_id: str, body: message_schemas.MessageCreate
) -> Message:
    """Adds one message. Raises NotFound, and InvalidRequest while a run is active on the thread."""
    thread = await lock(session, project_id, thread_id)
    run_id = await active_run(session, thread.id)
    if run_id is not None:
        raise InvalidRequest(f"Can't add messages to {thread.id} while a run {run_id} is active.")
    (message,) = await messages.add(session, thread, [body])
    return message


async def modify(session: AsyncSession, project_id: str, thread_id: str, body: schemas.ThreadModify) -> Thread:
    """Changes what the request names; null clears it. Metadata is replaced as a whole. Raises NotFound."""
    thread = await lock(session, project_id, thread_id)
    if "tool_resources" in body.model_fields_set:
        thread.tool_resources = await tool_resources.stored(session, project_id, body.tool_resources)
    if "metadata" in body.model_fields_set:
        thread.metadata_ = body.metadata or {}
    await session.flush()
    return thread


async def delete(session: AsyncSession, project_id: str, thread_id: str) -> None:
    """Deletes a thread with its messages, runs and steps; an active run is stopped. Raises NotFound."""
    thread = await lock(session, project_id, thread_id)
    run_ids = (await session.scalars(select(Run.id).where(Run.thread_id == thread.id))).all()
    active = await active_run(session, thread.id)
    await be_patient(session)
    await session.delete(thread)
    await session.flush()
    forget_after_commit(session, run_ids, active)
