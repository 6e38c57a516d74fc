"""The one door for a run's status: which changes are allowed, who may make them, and what follows from each.

A change is guarded in the SQL itself by the status and the attempt that the writer knows (app.models.run): whoever has
lost the run changes nothing and gets `RunLost`.
"""

from collections.abc import Sequence
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
from app.domain.statuses import TERMINAL, TRANSITIONS, RunStatus
from app.models import Run

#: Which column keeps the time of an ending. An expired run has none (contract, section 6).
_ENDED_AT: Final = {
    RunStatus.COMPLETED: "completed_at",
    RunStatus.INCOMPLETE: "completed_at",
    RunStatus.FAILED: "failed_at",
    RunStatus.CANCELLED: "cancelled_at",
}


class RunLost(Exception):
    """The run is no longer what the writer took it for: it was taken over, ended or deleted. Write no more."""


def consequences(to: RunStatus, at: datetime) -> Json:
    """Returns the columns that change with a status: `to`, reached at the time `at`."""
    changes: Json = {}
    if to == RunStatus.IN_PROGRESS:
        changes["started_at"] = at
    elif to != RunStatus.CANCELLING:
        changes["lease_expires_at"] = None
    if to in TERMINAL:
        changes["expires_at"] = None
    if to != RunStatus.REQUIRES_ACTION:
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
    to: RunStatus,
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
    changes = consequences(to, now()) | {"status": to, "attempt": run.attempt + int(new_attempt)} | values
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
    is_new = waiting.c.status == RunStatus.QUEUED
    taken = select(func.count()).select_from(waiting).scalar_subquery()
    return (
        update(Run)
        .where(Run.id == waiting.c.id)
        .values(
            status=RunStatus.IN_PROGRESS,
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
