"""How workers come by runs and keep them: claims, leases, and what the sweep does about those that went wrong.

Leases are counted by the database's clock alone, so workers need not agree on the time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import CTE, ColumnElement, and_, bindparam, exists, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.db.base import now
from app.events import event
from app.models import Run
from app.models.run import ACTIVE
from app.schemas import runs as run_schemas
from app.services import run_status
from app.signals import events_after_commit

#: Ours among the advisory locks of the database: one sweep at a time.
_SWEEP_LOCK: Final = 0x10C0_57EE
_SWEEP_BATCH: Final = 100


def _unheld(runs: type[Run]) -> ColumnElement[bool]:
    return or_(runs.lease_expires_at.is_(None), runs.lease_expires_at <= func.now())


def _claimable(runs: type[Run]) -> ColumnElement[bool]:
    return and_(runs.status.in_(("queued", "in_progress")), _unheld(runs), runs.expires_at > func.now())


def _waiting() -> CTE:
    """The runs to claim next, locked: fair over projects, and of each project those first that were queued first.

    A project's place is that of its runs under way, and of those that go before it in this claim.
    """
    under_way = aliased(Run)
    load = (
        select(under_way.project_id, func.count().label("runs"))
        .where(under_way.status.in_(ACTIVE), under_way.lease_expires_at > func.now())
        .group_by(under_way.project_id)
        .cte("load")
    )
    waiting = aliased(Run)
    turn = func.row_number().over(partition_by=waiting.project_id, order_by=(waiting.queued_at, waiting.seq))
    ranked = (
        select(waiting.id, (func.coalesce(load.c.runs, 0) + turn).label("turn"))
        .outerjoin(load, load.c.project_id == waiting.project_id)
        .where(_claimable(waiting))
        .cte("ranked")
    )
    return (
        select(Run.id, Run.status)
        .join(ranked, ranked.c.id == Run.id)
        .where(_claimable(Run))
        .order_by(ranked.c.turn, Run.queued_at, Run.seq)
        .limit(bindparam("limit"))
        .with_for_update(of=Run, skip_locked=True)
        .cte("waiting")
    )


#: Made once: to build it takes SQLAlchemy longer than Postgres takes to answer it.
_CLAIM: Final = run_status.beginning(_waiting())


@dataclass(frozen=True, slots=True)
class Claim:
    """A run, in progress and held under a new attempt. `taken_over`: from a worker that is gone."""

    run: Run
    taken_over: bool


async def claim(session: AsyncSession, lease_seconds: float, limit: int) -> list[Claim]:
    """Takes the next runs that wait: queued, or in progress with a lapsed lease; at most `limit` of them."""
    parameters = {"limit": limit, "lease": timedelta(seconds=lease_seconds), "at": now()}
    rows = await session.execute(_CLAIM, parameters, execution_options={"populate_existing": True})
    claims = [Claim(run, status == "in_progress") for run, status in rows]
    return sorted(claims, key=lambda claim: (claim.run.queued_at, claim.run.seq))


async def renew(session: AsyncSession, held: Mapping[str, int], lease_seconds: float) -> dict[str, str]:
    """Renews the leases of `held` (attempt by run id); gives the status of each run that is still held so."""
    statement = (
        update(Run)
        .where(tuple_(Run.id, Run.attempt).in_(list(held.items())), Run.status.in_(("in_progress", "cancelling")))
        .values(lease_expires_at=func.now() + timedelta(seconds=lease_seconds))
        .returning(Run.id, Run.status)
        .execution_options(synchronize_session=False)
    )
    return dict((await session.execute(statement)).all())


async def reload(session: AsyncSession, run: Run, status: str) -> Run:
    """The row of `run` as it is now. Raises RunLost if this attempt no longer holds it, or its status is another."""
    statement = select(Run).where(Run.id == run.id, Run.attempt == run.attempt, Run.status == status)
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None:
        raise run_status.RunLost(run.id)
    return row


async def is_held(session: AsyncSession, run: Run) -> bool:
    """Returns whether the worker of `run` is believed alive, by the database's clock at this moment."""
    statement = select(Run.lease_expires_at > func.clock_timestamp()).where(Run.id == run.id)
    return bool(await session.scalar(statement))


async def hand_back(session: AsyncSession, run: Run) -> None:
    """Gives a run up for another worker to go on with, at once."""
    statement = (
        update(Run)
        .where(Run.id == run.id, Run.attempt == run.attempt)
        .values(lease_expires_at=None)
        .execution_options(synchronize_session=False)
    )
    await session.execute(statement)


async def try_sweep_lock(session: AsyncSession) -> bool:
    """Whether this transaction is the one that sweeps now."""
    return bool(await session.scalar(select(func.pg_try_advisory_xact_lock(_SWEEP_LOCK))))


async def end_overdue(session: AsyncSession) -> int:
    """Expires runs that are over their time, and cancels those whose cancel no worker is left to hear.

    Gives the number of runs ended, at most one batch.
    """
    overdue = and_(Run.status.in_(("queued", "in_progress", "requires_action")), Run.expires_at <= func.now())
    unheard = and_(Run.status == "cancelling", _unheld(Run))
    statement = (
        select(Run).where(or_(overdue, unheard)).order_by(Run.seq).limit(_SWEEP_BATCH).with_for_update(skip_locked=True)
    )
    runs = (await session.scalars(statement)).all()
    for run in runs:
        before = (
            [event("thread.run.cancelling", run_schemas.Run.model_validate(run))] if run.status == "cancelling" else []
        )
        ending = "cancelled" if run.status == "cancelling" else "expired"
        events = await run_status.finish(session, run, ending, new_attempt=True)
        events_after_commit(session, run.id, run.attempt, before + events)
    return len(runs)


async def has_waiting(session: AsyncSession, since_seconds: float) -> bool:
    """Returns whether a run has waited for a worker for `since_seconds` and more: its nudge may have been lost."""
    long_ago = func.now() - timedelta(seconds=since_seconds)
    queued = exists().where(Run.status == "queued", Run.queued_at < long_ago, Run.expires_at > func.now())
    left = exists().where(Run.status == "in_progress", _unheld(Run), Run.expires_at > func.now())
    return bool(await session.scalar(select(or_(queued, left))))
