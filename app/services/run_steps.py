"""Run steps: what the workers write, and what clients read."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import ids
from app.db.base import Json, now
from app.domain.event_names import EventName
from app.domain.statuses import MessageStatus, StepStatus
from app.errors import NotFound
from app.events import RunEvent, event
from app.models import Message, Run, RunStep
from app.pagination import Page, PageQuery, paginate, scoped
from app.schemas import messages as message_schemas
from app.services import threads
from app.services.told import NO_TEXT


def new_step(run: Run, turn: int, step_details: Json, at: datetime | None = None) -> RunStep:
    """A step in progress of `run` that begins now, or `at`, not stored yet; its type is that of `step_details`."""
    return RunStep(
        id=ids.new(ids.RUN_STEP),
        project_id=run.project_id,
        created_at=at or now(),
        thread_id=run.thread_id,
        run_id=run.id,
        assistant_id=run.assistant_id,
        turn=turn,
        type=step_details["type"],
        status=StepStatus.IN_PROGRESS,
        step_details=step_details,
        expires_at=run.expires_at,
    )


async def get(session: AsyncSession, project_id: str, thread_id: str, run_id: str, step_id: str) -> RunStep:
    """One step. Raises NotFound for whatever of the path is missing."""
    statement = scoped(RunStep, project_id).where(
        RunStep.thread_id == thread_id, RunStep.run_id == run_id, RunStep.id == step_id
    )
    step = (await session.execute(statement)).scalar_one_or_none()
    if step is None:
        await _require_run(session, project_id, thread_id, run_id)
        raise NotFound.of(RunStep.__tablename__, step_id)
    return step


async def list_page(
    session: AsyncSession, project_id: str, thread_id: str, run_id: str, page: PageQuery
) -> Page[RunStep]:
    """A page of the steps of a run. Raises NotFound."""
    await _require_run(session, project_id, thread_id, run_id)
    return await paginate(session, scoped(RunStep, project_id).where(RunStep.run_id == run_id), RunStep, page)


async def _require_run(session: AsyncSession, project_id: str, thread_id: str, run_id: str) -> None:
    await threads.get(session, project_id, thread_id)
    statement = scoped(Run, project_id).where(Run.thread_id == thread_id, Run.id == run_id)
    if (await session.execute(statement)).scalar_one_or_none() is None:
        raise NotFound.of(Run.__tablename__, run_id)


def new_message(run: Run, turn: int) -> tuple[Message, RunStep]:
    """The message that `turn` of `run` begins to write, still empty, and its step, of one time; not stored yet.

    The step is told first, so the message may not be a second older.
    """
    message = Message(
        id=ids.new(ids.MESSAGE),
        project_id=run.project_id,
        created_at=now(),
        thread_id=run.thread_id,
        assistant_id=run.assistant_id,
        run_id=run.id,
        role="assistant",
        status=MessageStatus.IN_PROGRESS,
        content=[],
        attachments=[],
        metadata_={},
    )
    details = {"type": "message_creation", "message_creation": {"message_id": message.id}}
    return message, new_step(run, turn, details, message.created_at)


def message_incomplete(message: Message) -> RunEvent:
    """The event of a message that is left as it is. What a lost worker told of it is not in its row."""
    shown = message_schemas.Message.model_validate(message)
    if not shown.content:
        shown = shown.model_copy(update={"content": [NO_TEXT]})
    return event(EventName.MESSAGE_INCOMPLETE, shown)


def progress(steps: Sequence[RunStep]) -> int:
    """Returns how far a run has come with these steps, in a number that grows: each step counts, each call that was
    begun, and each that was answered."""
    calls = [call for step in steps for call in step.step_details.get("tool_calls", ())]
    return len(steps) + sum(int(call.get("starts", 0)) + bool(call.get("done")) for call in calls)


async def discard_unfinished(session: AsyncSession, run: Run) -> list[RunStep]:
    """Drops the turn whose model call a lost worker left half done: its steps and its message, to be done anew.

    A turn whose usage is known is not half done: only its tool calls are still to be answered.

    The rows are gone, so that a client that reads the thread finds each message once. Gives the steps that stay.
    """
    steps = (await session.scalars(select(RunStep).where(RunStep.run_id == run.id).order_by(RunStep.seq))).all()
    unfinished = {step.turn for step in steps if step.status == StepStatus.IN_PROGRESS and step.usage is None}
    for step in steps:
        if step.turn in unfinished:
            if step.type == "message_creation":
                message = await session.get(Message, step.step_details["message_creation"]["message_id"])
                if message is not None:
                    await session.delete(message)
            await session.delete(step)
    return [step for step in steps if step.turn not in unfinished]
