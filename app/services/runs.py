"""Runs, as clients make and steer them. What workers do with them: run_claims, run_leases and run_status."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, TypeVar

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from app import ids
from app.db.base import Json, now
from app.domain.event_names import EventName
from app.domain.statuses import ACTIVE, TERMINAL, RunStatus, StepStatus
from app.errors import InvalidRequest, NotFound
from app.events import Place, RunEvent, event
from app.models import Assistant, Message, Run, RunStep, Thread
from app.pagination import Page, PageQuery, paginate, scoped
from app.schemas import run_steps as step_schemas
from app.schemas import runs as schemas
from app.schemas import threads as thread_schemas
from app.schemas.common import RequestBody
from app.schemas.model_options import stored_model_options
from app.schemas.tools import stored_tools
from app.services import (
    assistants,
    messages,
    run_endings,
    run_leases,
    run_limits,
    run_rows,
    run_status,
    threads,
    tool_resources,
)
from app.settings import Settings
from app.signals import events_after_commit, nudge_after_commit, stop_after_commit

Value = TypeVar("Value")


async def create(
    session: AsyncSession,
    settings: Settings,
    project_id: str,
    thread_id: str,
    body: schemas.RunCreate,
    include: Sequence[str] = (),
) -> Run:
    """Queues a run on a thread, after `additional_messages` are added to it; its events tell what `include` asks for.

    Raises NotFound for the thread or the assistant, InvalidRequest if the thread has an active run, if the request
    does not fit the assistant, or if there is nothing to run on; RateLimited if too many runs of the project wait.
    """
    thread, assistant = await _thread_and_assistant(session, project_id, thread_id, body.assistant_id)
    await run_limits.refuse_beyond(session, settings, project_id)
    await messages.add(session, thread, body.additional_messages or [])
    run = await _new(session, settings, thread, assistant, body)
    run.include = list(include) or None
    if body.additional_instructions is not None:
        run.instructions = "\n".join(part for part in (run.instructions, body.additional_instructions) if part)
    await _queue(session, run, [])
    return run


async def create_thread_and_run(
    session: AsyncSession, settings: Settings, project_id: str, body: schemas.ThreadAndRunCreate
) -> Run:
    """Makes a thread and queues a run on it. Raises as `create`; nothing is kept if it does."""
    await run_limits.refuse_beyond(session, settings, project_id)
    thread = await threads.create(session, project_id, body.thread or thread_schemas.ThreadCreate())
    assistant = await assistants.get(session, project_id, body.assistant_id)
    run = await _new(session, settings, thread, assistant, body)
    await _queue(session, run, [event(EventName.THREAD_CREATED, thread_schemas.Thread.model_validate(thread))])
    return run


#: Asked for every run, so made once, and for both at once.
_THREAD_AND_ASSISTANT: Final = (
    select(Thread, Assistant)
    .join(Assistant, Assistant.project_id == Thread.project_id)
    .where(
        Thread.project_id == bindparam("project"),
        Thread.id == bindparam("thread"),
        Assistant.id == bindparam("assistant"),
    )
    .with_for_update(of=Thread)
)


async def _thread_and_assistant(
    session: AsyncSession, project_id: str, thread_id: str, assistant_id: str
) -> tuple[Thread, Assistant]:
    """The thread, locked, and the assistant. Raises NotFound for whichever is missing."""
    wanted = {"project": project_id, "thread": thread_id, "assistant": assistant_id}
    found = (await session.execute(_THREAD_AND_ASSISTANT, wanted)).one_or_none()
    if found is not None:
        return found[0], found[1]
    return await threads.lock(session, project_id, thread_id), await assistants.get(session, project_id, assistant_id)


async def _new(
    session: AsyncSession,
    settings: Settings,
    thread: Thread,
    assistant: Assistant,
    body: schemas.RunCreate | schemas.ThreadAndRunCreate,
) -> Run:
    """The row of a new run: the assistant's settings, with the request's over them; an explicit 0 or [] counts.

    Raises NotFound for tool resources that are not there.
    """
    resources = assistant.tool_resources
    if body.tool_resources is not None:
        resources = await tool_resources.stored(session, thread.project_id, body.tool_resources)
    tools = assistant.tools if body.tools is None else stored_tools(body.tools)
    _refuse_unknown_choice(body.tool_choice, tools)
    at = now()
    return Run(
        id=ids.new(ids.RUN),
        project_id=thread.project_id,
        thread_id=thread.id,
        assistant_id=assistant.id,
        created_at=at,
        queued_at=at,
        expires_at=at + timedelta(seconds=settings.run_expiry_seconds),
        status=RunStatus.QUEUED,
        attempt=0,
        blame=0,
        company=0,
        progress=0,
        model=_over(body.model, assistant.model),
        tools=tools,
        tool_resources=resources,
        metadata_=body.metadata or {},
        max_prompt_tokens=body.max_prompt_tokens,
        max_completion_tokens=body.max_completion_tokens,
        truncation_strategy=schemas.stored_truncation_strategy(body.truncation_strategy),
        tool_choice=schemas.stored_option(body.tool_choice),
        parallel_tool_calls=body.parallel_tool_calls is not False,
        **{name: _over(asked, getattr(assistant, name)) for name, asked in stored_model_options(body).items()},
    )


def _over(requested: Value | None, inherited: Value) -> Value:
    return inherited if requested is None else requested


def _refuse_unknown_choice(choice: RequestBody | str | None, tools: list[Json]) -> None:
    """A forced tool must be one of the run's."""
    wanted = schemas.stored_option(choice)
    if wanted is None or isinstance(wanted, str):
        return
    if wanted["type"] != "function":
        known = any(tool["type"] == wanted["type"] for tool in tools)
        name = wanted["type"]
    else:
        name = wanted["function"]["name"]
        known = any(tool["type"] == "function" and tool["function"]["name"] == name for tool in tools)
    if not known:
        raise InvalidRequest(f"Tool choice '{name}' not found in 'tools' parameter.", param="tool_choice")


async def _refuse_empty(session: AsyncSession, run: Run) -> None:
    if run.instructions:
        return
    first = await session.scalar(select(Message.id).where(Message.thread_id == run.thread_id).limit(1))
    if first is None:
        raise InvalidRequest(
            "Run creation requires a Thread with a user message or an assistant with instructions.",
            code="invalid_thread",
        )


async def _queue(session: AsyncSession, run: Run, before: list[RunEvent]) -> None:
    await _refuse_empty(session, run)
    if not await run_rows.insert_alone(session, run):
        active = await threads.active_run(session, run.thread_id)
        raise InvalidRequest(f"Thread {run.thread_id} already has an active run {active}.")
    shown = schemas.Run.model_validate(run)
    events = [*before, event(EventName.RUN_CREATED, shown), event(EventName.RUN_QUEUED, shown)]
    events_after_commit(session, run.id, run.attempt, events)
    nudge_after_commit(session)


async def get(session: AsyncSession, project_id: str, thread_id: str, run_id: str, *, lock: bool = False) -> Run:
    """One run. `lock` keeps others from changing it until the end of the transaction. Raises NotFound."""
    statement = scoped(Run, project_id).where(Run.thread_id == thread_id, Run.id == run_id)
    if lock:
        statement = statement.with_for_update()
    run = (await session.execute(statement)).scalar_one_or_none()
    if run is None:
        await threads.get(session, project_id, thread_id)
        raise NotFound.of(Run.__tablename__, run_id)
    return run


async def list_page(session: AsyncSession, project_id: str, thread_id: str, page: PageQuery) -> Page[Run]:
    """A page of the runs of a thread. Raises NotFound."""
    await threads.get(session, project_id, thread_id)
    return await paginate(session, scoped(Run, project_id).where(Run.thread_id == thread_id), Run, page)


async def modify(session: AsyncSession, project_id: str, thread_id: str, run_id: str, body: schemas.RunModify) -> Run:
    """Replaces the metadata of a run that is not at work. Raises NotFound, InvalidRequest."""
    run = await get(session, project_id, thread_id, run_id, lock=True)
    if run.status not in (*TERMINAL, RunStatus.REQUIRES_ACTION):
        raise InvalidRequest(f"Cannot update run with status '{run.status}'.")
    if "metadata" in body.model_fields_set:
        run.metadata_ = body.metadata or {}
    return run


async def cancel(session: AsyncSession, project_id: str, thread_id: str, run_id: str) -> schemas.Run:
    """Cancels a run: the answer says `cancelling`, and within a second the run is `cancelled`.

    A run in the hands of a worker is ended by it, so that what it has written is kept; any other is ended here.
    Raises NotFound, and InvalidRequest for a run that is cancelling or has ended.
    """
    run = await get(session, project_id, thread_id, run_id, lock=True)
    if run.status not in ACTIVE or run.status == RunStatus.CANCELLING:
        raise InvalidRequest(f"Cannot cancel run with status '{run.status}'.")
    at_work = run.lease_expires_at is not None and await run_leases.is_held(session, run)
    await run_status.transition(session, run, RunStatus.CANCELLING, new_attempt=not at_work)
    answer = schemas.Run.model_validate(run)
    if at_work:
        stop_after_commit(session, run.id)
    else:
        cancelling = event(EventName.RUN_CANCELLING, answer)
        events = await run_endings.finish(session, run, RunStatus.CANCELLED)
        events_after_commit(session, run.id, run.attempt, [cancelling, *events])
    return answer


async def submit_tool_outputs(
    session: AsyncSession, project_id: str, thread_id: str, run_id: str, body: schemas.SubmitToolOutputs
) -> Run:
    """Queues a run again with the outputs of the function calls it waits for, all of them at once.

    Raises NotFound; InvalidRequest if the run waits for none, or for others (contract, section 6).
    """
    run = await get(session, project_id, thread_id, run_id, lock=True)
    if run.status != RunStatus.REQUIRES_ACTION or run.required_action is None:
        raise InvalidRequest(f'Runs in status "{run.status}" do not accept tool outputs.')
    wanted = [call["id"] for call in run.required_action["submit_tool_outputs"]["tool_calls"]]
    given = [output.tool_call_id for output in body.tool_outputs]
    if sorted(wanted) != sorted(filter(None, given)):
        raise InvalidRequest(f"Expected tool outputs for call_ids {wanted}, got {given}")
    outputs = {output.tool_call_id: output.output or "" for output in body.tool_outputs}
    step = await _close_calls(session, run, outputs)
    await run_status.transition(session, run, RunStatus.QUEUED, new_attempt=True, queued_at=now(), usage=None)
    step.ended_place = Place(run.attempt, 1).packed
    events = [
        event(EventName.STEP_COMPLETED, step_schemas.shown(step, run.include)),
        event(EventName.RUN_QUEUED, schemas.Run.model_validate(run)),
    ]
    events_after_commit(session, run.id, run.attempt, events)
    nudge_after_commit(session)
    return run


async def _close_calls(session: AsyncSession, run: Run, outputs: dict[str | None, str]) -> RunStep:
    statement = select(RunStep).where(RunStep.run_id == run.id, RunStep.status == StepStatus.IN_PROGRESS)
    step = (await session.scalars(statement)).one()
    calls = []
    for call in step.step_details["tool_calls"]:
        if call["id"] in outputs:
            calls.append({**call, "function": {**call["function"], "output": outputs[call["id"]]}})
        else:
            calls.append(call)
    step.step_details = {**step.step_details, "tool_calls": calls}
    step.status = StepStatus.COMPLETED
    step.completed_at = now()
    await session.flush()
    return step
