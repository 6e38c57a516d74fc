"""How a run ends: what it left open is closed, its usage is added up, and its events are made.

`finish` ends it as its worker, a client or the sweep asks; `break_off` is for a run that breaks whatever looks at it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.base import Base, Json, now
from app.domain.event_names import EventName
from app.domain.statuses import TERMINAL, TRANSITIONS, MessageStatus, RunStatus, StepStatus
from app.events import RunEvent, event
from app.models import Message, Run, RunStep
from app.schemas import run_steps as step_schemas
from app.schemas import runs as run_schemas
from app.services import run_status, run_steps

#: Why the messages are incomplete that a run which ends so leaves open.
_MESSAGE_REASON: Final = {
    RunStatus.INCOMPLETE: "max_tokens",
    RunStatus.FAILED: "run_failed",
    RunStatus.CANCELLED: "run_cancelled",
    RunStatus.EXPIRED: "run_expired",
}


async def finish(
    session: AsyncSession,
    run: Run,
    to: RunStatus,
    *,
    new_attempt: bool = False,
    steps: Sequence[RunStep] | None = None,
    rows: Sequence[Base] = (),
    drafts: Mapping[str, list[Json]] | None = None,
    last_error: Json | None = None,
    incomplete_details: Json | None = None,
    message_reason: str | None = None,
) -> list[RunEvent]:
    """Ends a run: closes the steps and messages it left open, adds up the usage, changes the status.

    `steps` are all steps of the run, if the caller has them; `rows` as in `run_status.transition`. `drafts` holds the
    content of half-written messages by their id; `message_reason` says why they are incomplete, if it is not the
    run's ending.
    Gives the events to append, in their order (contract, section 7). Raises as `run_status.transition` does.
    """
    at = now()
    with session.no_autoflush:  # as in `run_status.transition`
        if steps is None:
            steps = (await session.scalars(select(RunStep).where(RunStep.run_id == run.id).order_by(RunStep.seq))).all()
        open_steps = [step for step in steps if step.status == StepStatus.IN_PROGRESS]
        messages = await _open_messages(session, open_steps)
    for step in steps:
        step.expires_at = None
    await run_status.transition(
        session,
        run,
        to,
        new_attempt=new_attempt,
        rows=rows,
        usage=total_usage(step.usage for step in steps),
        last_error=last_error,
        incomplete_details=incomplete_details,
    )
    events = []
    for step in open_steps:
        message = messages.get(step.step_details.get("message_creation", {}).get("message_id"))
        if message is not None:
            _close_message(message, at, message_reason or _MESSAGE_REASON[to], (drafts or {}).get(message.id))
            events.append(run_steps.message_incomplete(message))
        _close_step(step, at, _step_status(to), last_error)
        events.append(event(EventName.of_step(step.status), step_schemas.RunStep.model_validate(step)))
    events.append(event(EventName.of_run(to), run_schemas.Run.model_validate(run)))
    return events


async def break_off(
    session: AsyncSession,
    run_id: str,
    attempt: int,
    to: RunStatus = RunStatus.FAILED,
    *,
    new_attempt: bool = False,
    message: str = "Sorry, something went wrong.",
) -> None:
    """Ends a run without a look at what it holds: the last resort, where `finish` breaks by what it is to write.

    What is open is closed as it is stored. There are no events: readers of the log are told from the rows. A run that
    is being cancelled is cancelled. Raises RunLost if `attempt` no longer holds the run.
    """
    is_held = (Run.id == run_id, Run.attempt == attempt)
    found = await session.scalar(select(Run.status).where(*is_held).with_for_update())
    if found is None or found in TERMINAL:
        raise run_status.RunLost(run_id)
    if to not in TRANSITIONS[found]:
        to = RunStatus.CANCELLED if found == RunStatus.CANCELLING else RunStatus.FAILED
    at = now()
    usages = (await session.scalars(select(RunStep.usage).where(RunStep.run_id == run_id))).all()
    error = {"code": "server_error", "message": message} if to == RunStatus.FAILED else None
    changes = run_status.consequences(to, at) | {
        "status": to,
        "attempt": attempt + int(new_attempt),
        "last_error": error,
        "usage": total_usage(usages),
    }
    status = _step_status(to)
    close_steps = (
        update(RunStep)
        .where(RunStep.run_id == run_id, RunStep.status == StepStatus.IN_PROGRESS)
        .values({"status": status, f"{status}_at": at, "last_error": error})
    )
    close_messages = (
        update(Message)
        .where(Message.run_id == run_id, Message.status == MessageStatus.IN_PROGRESS)
        .values(status=MessageStatus.INCOMPLETE, incomplete_at=at, incomplete_details={"reason": _MESSAGE_REASON[to]})
    )
    for statement in (update(Run).where(*is_held).values(changes), close_steps, close_messages):
        await session.execute(statement, execution_options={"synchronize_session": False})


async def _open_messages(session: AsyncSession, open_steps: Iterable[RunStep]) -> dict[str, Message]:
    written = [
        step.step_details["message_creation"]["message_id"] for step in open_steps if step.type == "message_creation"
    ]
    if not written:
        return {}
    rows = await session.scalars(
        select(Message).where(Message.id.in_(written), Message.status == MessageStatus.IN_PROGRESS)
    )
    return {message.id: message for message in rows}


def _step_status(ending: RunStatus) -> StepStatus:
    """What becomes of the open steps of a run that ends so."""
    return StepStatus.COMPLETED if ending == RunStatus.INCOMPLETE else StepStatus(ending)


def _close_message(message: Message, at: datetime, reason: str, content: list[Json] | None) -> None:
    message.status = MessageStatus.INCOMPLETE
    message.incomplete_at = at
    message.incomplete_details = {"reason": reason}
    if content is not None:
        message.content = content


def _close_step(step: RunStep, at: datetime, status: StepStatus, last_error: Json | None) -> None:
    step.status = status
    setattr(step, f"{status}_at", at)
    if status == StepStatus.FAILED and last_error is not None:
        # A step's error knows no `invalid_prompt` (RunStepObject in OpenAI's description).
        code = last_error["code"] if last_error["code"] == "rate_limit_exceeded" else "server_error"
        step.last_error = {"code": code, "message": last_error["message"]}


def total_usage(usages: Iterable[Json | None]) -> Json:
    """The usage of a run: the sum over its steps, zero where a step has none (contract, section 5)."""
    total = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    cached = reasoning = 0
    for usage in usages:
        if usage is not None:
            for name in total:
                total[name] += usage[name]
            cached += usage["prompt_token_details"]["cached_tokens"]
            reasoning += usage["completion_tokens_details"]["reasoning_tokens"]
    return {
        **total,
        "prompt_token_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }
