"""The one door for a run's status: which changes are allowed, who may make them, and what follows from each.

A change is guarded in the SQL itself by the status and the attempt that the writer knows (app.models.run): whoever has
lost the run changes nothing and gets `RunLost`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, cast

from sqlalchemy import (
    CTE,
    ColumnElement,
    DateTime,
    Executable,
    Integer,
    Interval,
    Table,
    bindparam,
    case,
    func,
    inspect,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.sql.dml import ReturningUpdate

from app.db.base import Base, Json, now
from app.events import RunEvent, event
from app.models import Message, Run, RunStep
from app.models.run import TERMINAL, TRANSITIONS
from app.schemas import run_steps as step_schemas
from app.schemas import runs as run_schemas
from app.services import run_steps

#: Which column keeps the time of an ending. An expired run has none (contract, section 6).
_ENDED_AT: Final = {
    "completed": "completed_at",
    "incomplete": "completed_at",
    "failed": "failed_at",
    "cancelled": "cancelled_at",
}
#: What becomes of the open steps and messages of a run that ends so.
_STEP_STATUS: Final = {"incomplete": "completed"}
_MESSAGE_REASON: Final = {
    "incomplete": "max_tokens",
    "failed": "run_failed",
    "cancelled": "run_cancelled",
    "expired": "run_expired",
}


class RunLost(Exception):
    """The run is no longer what the writer took it for: it was taken over, ended or deleted. Write no more."""


def _consequences(to: str, at: datetime) -> Json:
    changes: Json = {}
    if to == "in_progress":
        changes["started_at"] = at
    elif to != "cancelling":
        changes["lease_expires_at"] = None
    if to in TERMINAL:
        changes["expires_at"] = None
    if to != "requires_action":
        changes["required_action"] = None
    if to in _ENDED_AT:
        changes[_ENDED_AT[to]] = at
    return changes


_RUNS: Final = cast("Table", Run.__table__)
_AS_KNOWN: Final = (
    _RUNS.c.id == bindparam("known_id"),
    _RUNS.c.status == bindparam("known_status"),
    _RUNS.c.attempt == bindparam("known_attempt"),
)


def known(run: Run) -> dict[str, Any]:
    """What the caller knows of `run`, as the parameters of HELD and its like."""
    return {"known_id": run.id, "known_status": run.status, "known_attempt": run.attempt}


#: Which columns of which table change along with a run.
RowChange = tuple[type[Base], tuple[str, ...]]


@cache
def _change(columns: tuple[str, ...], with_lease: bool, rows: tuple[RowChange, ...]) -> Executable:
    """Changes `columns` of a run that is as known, and with it `rows`; tells whether it was as known.

    Kept: to build it takes longer than to have it executed. No parameter has a column's name, which SQLAlchemy would
    take for a value of that column in every table here.
    """
    values: dict[str, ColumnElement[Any]] = {
        name: bindparam(f"new_{name}", type_=_RUNS.c[name].type) for name in columns
    }
    if with_lease:
        values["lease_expires_at"] = func.now() + bindparam("lease", type_=Interval())
    change = update(_RUNS).where(*_AS_KNOWN).values(values).returning(_RUNS.c.id)
    if not rows:
        return change
    changed = change.cte("changed")
    others = []
    for position, (model, names) in enumerate(rows):
        table = cast("Table", model.__table__)
        new = {name: bindparam(f"{name}_{position}", type_=table.c[name].type) for name in names}
        is_row = table.c.id == bindparam(f"id_{position}")
        others.append(
            update(table).where(is_row, changed.c.id == bindparam("known_id")).values(new).cte(f"r{position}")
        )
    return select(changed.c.id).add_cte(*others)


def _row_changes(rows: Sequence[Base]) -> tuple[tuple[RowChange, ...], dict[str, Any]]:
    """What was set on `rows` since they were read, and the values as parameters."""
    changes: list[RowChange] = []
    parameters: dict[str, Any] = {}
    for position, row in enumerate(rows):
        names = tuple(sorted(inspect(row).committed_state))
        changes.append((type(row), names))
        parameters[f"id_{position}"] = row.id  # type: ignore[attr-defined]
        parameters |= {f"{name}_{position}": getattr(row, name) for name in names}
    return tuple(changes), parameters


#: Finds the run if it is as known, and keeps it so until the end of the transaction.
HELD: Final = select(_RUNS.c.id).where(*_AS_KNOWN).with_for_update(read=True)


async def transition(
    session: AsyncSession,
    run: Run,
    to: str,
    *,
    new_attempt: bool = False,
    lease: timedelta | None = None,
    rows: Sequence[Base] = (),
    **values: Any,
) -> None:
    """Changes the status of `run` to `to`, in the database and in `run`, with the times that follow and `values`.

    `run` is the row as the caller knows it, whatever session it came from. `new_attempt` takes the run out of the
    hands of whoever held it; `lease` says for how long the new holder has it. What was set on `rows`, which are in no
    session, is stored in the same statement. Raises RunLost if the row is not as known, ValueError if no run may
    change so.
    """
    if to not in TRANSITIONS[run.status]:
        raise ValueError(f"a run that is {run.status} cannot become {to}")
    changes = _consequences(to, now()) | {"status": to, "attempt": run.attempt + int(new_attempt)} | values
    row_changes, row_values = _row_changes(rows)
    parameters = {f"new_{name}": value for name, value in changes.items()} | known(run) | row_values
    if lease is not None:
        parameters["lease"] = lease
    # What the session holds besides is written once the run is known to be ours, and its row is locked first.
    with session.no_autoflush:
        found = await session.scalar(_change(tuple(changes), lease is not None, row_changes), parameters)
    if found is None:
        raise RunLost(run.id)
    for name, value in changes.items():
        set_committed_value(run, name, value)


def beginning(waiting: CTE) -> ReturningUpdate[Run, str, int]:
    """The statement by which a worker takes runs: those that `waiting` (columns id and status) has locked.

    Its parameters: `lease`, for how long the worker has them, `at`, the time, and `held`, how many it has already.
    Gives each run, in progress under a new attempt, the status it had, and its `waiting.c.blame`: what is added to its
    own; one that had been in progress goes on as it was.
    """
    is_new = waiting.c.status == "queued"
    taken = select(func.count()).select_from(waiting).scalar_subquery()
    return (
        update(Run)
        .where(Run.id == waiting.c.id)
        .values(
            status="in_progress",
            attempt=Run.attempt + 1,
            started_at=case((is_new, bindparam("at", type_=DateTime(timezone=True))), else_=Run.started_at),
            lease_expires_at=func.now() + bindparam("lease", type_=Interval()),
            required_action=None,
            blame=case((is_new, 0), else_=Run.blame + waiting.c.blame),
            company=bindparam("held", type_=Integer()) + taken,
        )
        .returning(Run, waiting.c.status, waiting.c.blame)
        .execution_options(synchronize_session=False)
    )


async def hold(session: AsyncSession, run: Run) -> None:
    """Makes sure, until the end of the transaction, that `run` is as known. Raises RunLost if it is not.

    Every transaction of a worker begins with this or is a `transition`.
    """
    if await session.scalar(HELD, known(run)) is None:
        raise RunLost(run.id)


async def finish(
    session: AsyncSession,
    run: Run,
    to: str,
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

    `steps` are all steps of the run, if the caller has them; `rows` as in `transition`. `drafts` holds the content of
    half-written messages by their id; `message_reason` says why they are incomplete, if it is not the run's ending.
    Gives the events to append, in their order (contract, section 7). Raises as `transition` does.
    """
    at = now()
    with session.no_autoflush:  # as in `transition`
        if steps is None:
            steps = (await session.scalars(select(RunStep).where(RunStep.run_id == run.id).order_by(RunStep.seq))).all()
        open_steps = [step for step in steps if step.status == "in_progress"]
        messages = await _open_messages(session, open_steps)
    for step in steps:
        step.expires_at = None
    await transition(
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
        _close_step(step, at, _STEP_STATUS.get(to, to), last_error)
        events.append(event(f"thread.run.step.{step.status}", step_schemas.RunStep.model_validate(step)))
    events.append(event(f"thread.run.{to}", run_schemas.Run.model_validate(run)))
    return events


async def break_off(
    session: AsyncSession,
    run_id: str,
    attempt: int,
    to: str = "failed",
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
        raise RunLost(run_id)
    if to not in TRANSITIONS[found]:
        to = "cancelled" if found == "cancelling" else "failed"
    at = now()
    usages = (await session.scalars(select(RunStep.usage).where(RunStep.run_id == run_id))).all()
    error = {"code": "server_error", "message": message} if to == "failed" else None
    changes = _consequences(to, at) | {
        "status": to,
        "attempt": attempt + int(new_attempt),
        "last_error": error,
        "usage": total_usage(usages),
    }
    status = _STEP_STATUS.get(to, to)
    close_steps = (
        update(RunStep)
        .where(RunStep.run_id == run_id, RunStep.status == "in_progress")
        .values({"status": status, f"{status}_at": at, "last_error": error})
    )
    close_messages = (
        update(Message)
        .where(Message.run_id == run_id, Message.status == "in_progress")
        .values(status="incomplete", incomplete_at=at, incomplete_details={"reason": _MESSAGE_REASON[to]})
    )
    for statement in (update(Run).where(*is_held).values(changes), close_steps, close_messages):
        await session.execute(statement, execution_options={"synchronize_session": False})


async def _open_messages(session: AsyncSession, open_steps: Iterable[RunStep]) -> dict[str, Message]:
    written = [
        step.step_details["message_creation"]["message_id"] for step in open_steps if step.type == "message_creation"
    ]
    if not written:
        return {}
    rows = await session.scalars(select(Message).where(Message.id.in_(written), Message.status == "in_progress"))
    return {message.id: message for message in rows}


def _close_message(message: Message, at: datetime, reason: str, content: list[Json] | None) -> None:
    message.status = "incomplete"
    message.incomplete_at = at
    message.incomplete_details = {"reason": reason}
    if content is not None:
        message.content = content


def _close_step(step: RunStep, at: datetime, status: str, last_error: Json | None) -> None:
    step.status = status
    setattr(step, f"{status}_at", at)
    if status == "failed" and last_error is not None:
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
