"""How workers come by runs and keep them: claims, leases, and what the sweep does about those that went wrong.

Leases are counted by the database's clock alone, so workers need not agree on the time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import structlog
from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.db.base import now
from app.db.session import DATABASE_AWAY
from app.events import event
from app.models import Run
from app.models.run import ACTIVE
from app.schemas import runs as run_schemas
from app.services import fair_queue, run_status
from app.signals import events_after_commit

log = structlog.get_logger()

#: Ours among the advisory locks of the database: one sweep at a time.
_SWEEP_LOCK: Final = 0x10C0_57EE
_SWEEP_BATCH: Final = 100

#: What is held against a run whose worker was lost: it was alone with it, or one of several. At _TOO_MUCH it is not
#: executed again. So a run that kills its workers does so four times, or eight times beside others. Fewer would do
#: for such a run, but a worker may also be killed from outside, and that must cost no run.
_ALONE: Final = 2
_IN_COMPANY: Final = 1
_TOO_MUCH: Final = 8


#: As the indexes have it: a parameter would hide from Postgres that they fit.
_QUEUED: Final[ColumnElement[str]] = literal_column("'queued'")
_IS_ACTIVE: Final = Run.status.in_([literal_column(f"'{status}'") for status in ACTIVE])
_AT_WORK: Final[tuple[ColumnElement[str], ...]] = (literal_column("'in_progress'"), literal_column("'cancelling'"))


def _unheld(runs: Any) -> ColumnElement[bool]:
    return or_(runs.lease_expires_at.is_(None), runs.lease_expires_at <= func.now())


def _claimable(runs: type[Run]) -> ColumnElement[bool]:
    return and_(runs.status.in_(("queued", "in_progress")), _unheld(runs), runs.expires_at > func.now())


def _waiting() -> CTE:
    """The runs to claim next, locked: fair over projects, and of each project those first that were queued first.

    A project's place is that of its runs under way, and of those that go before it in this claim. What is read of the
    table are the runs under way, and of some projects the first of their queues (app.services.fair_queue).
    """
    under_way = aliased(Run)
    at_work = (
        select(under_way)
        .with_only_columns(
            under_way.id,
            under_way.project_id,
            under_way.status,
            under_way.queued_at,
            under_way.seq,
            under_way.lease_expires_at,
            under_way.expires_at,
        )
        .where(under_way.status.in_(_AT_WORK))
        .cte("at_work")
    )
    load = (
        select(at_work.c.project_id, func.count().label("runs"))
        .where(at_work.c.lease_expires_at > func.now())
        .group_by(at_work.c.project_id)
        .cte("load")
    )
    left = select(at_work.c.id, at_work.c.project_id, at_work.c.queued_at, at_work.c.seq).where(
        at_work.c.status == "in_progress", _unheld(at_work.c), at_work.c.expires_at > func.now()
    )
    candidates = union_all(_queued(), left).subquery("candidates")
    turn = func.row_number().over(
        partition_by=candidates.c.project_id, order_by=(candidates.c.queued_at, candidates.c.seq)
    )
    place = (func.coalesce(load.c.runs, 0) + turn).label("place")
    # Twice as many as are wanted, for another worker may have locked some. So few are then looked up one by one.
    best = (
        select(candidates.c.id, place)
        .outerjoin(load, load.c.project_id == candidates.c.project_id)
        .order_by(place, candidates.c.queued_at, candidates.c.seq)
        .limit(2 * bindparam("limit", type_=Integer()))
        .cte("best")
    )
    # A lease that lapsed was not given back: its worker was lost.
    is_lost = and_(Run.status == "in_progress", Run.lease_expires_at.is_not(None))
    blame = case((~is_lost, 0), (Run.company <= 1, _ALONE), else_=_IN_COMPANY)
    return (
        select(Run.id, Run.status, blame.label("blame"))
        .join(best, best.c.id == Run.id)
        .where(_claimable(Run))
        .order_by(best.c.place, Run.queued_at, Run.seq)
        .limit(bindparam("limit"))
        .with_for_update(of=Run, skip_locked=True)
        .cte("waiting")
    )


def _queued() -> Select[Any]:
    """The foremost queued runs of some projects: id, project_id, queued_at, seq."""
    queued, first = aliased(Run), aliased(Run)
    projects = fair_queue.projects(queued.project_id, queued.status == _QUEUED, queued.queued_at, queued.seq)
    foremost = (
        select(first.id, first.project_id, first.queued_at, first.seq)
        .where(first.project_id == projects.c.id, first.status == _QUEUED, first.expires_at > func.now())
        .order_by(first.queued_at, first.seq)
        .limit(bindparam("limit"))
        .lateral("foremost")
    )
    return select(foremost.c.id, foremost.c.project_id, foremost.c.queued_at, foremost.c.seq).select_from(
        projects.join(foremost, true())
    )


#: Made once: to build it takes SQLAlchemy longer than Postgres takes to answer it.
_CLAIM: Final = run_status.beginning(_waiting())


@dataclass(frozen=True, slots=True)
class Claim:
    """A run, in progress and held under a new attempt. `taken_over`: from a worker that is gone; `blame`: what that
    adds to the run's."""

    run: Run
    taken_over: bool
    blame: int = 0

    @property
    def is_hopeless(self) -> bool:
        """Whether not even a look at what the run has done is safe."""
        return self.run.blame >= 2 * _TOO_MUCH

    def is_to_blame(self, progress: int) -> bool:
        """Whether the run is not to be executed again; `progress` is how far it has come."""
        return progress <= self.run.progress and self.run.blame >= _TOO_MUCH


async def claim(session: AsyncSession, lease_seconds: float, limit: int, held: int = 0) -> list[Claim]:
    """Takes the next runs that wait: queued, or in progress with a lapsed lease; at most `limit` of them.

    `held` is how many the worker has already.
    """
    parameters = fair_queue.parameters(limit) | {
        "lease": timedelta(seconds=lease_seconds),
        "at": now(),
        "held": held,
    }
    rows = await session.execute(_CLAIM, parameters, execution_options={"populate_existing": True})
    claims = [Claim(run, status == "in_progress", blame) for run, status, blame in rows]
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


async def note_progress(session: AsyncSession, claim: Claim, progress: int) -> None:
    """Writes down how far a run that was taken over has come: what is held against it from before is forgotten."""
    if progress > claim.run.progress:
        statement = (
            update(Run)
            .where(Run.id == claim.run.id, Run.attempt == claim.run.attempt)
            .values(progress=progress, blame=claim.blame)
            .execution_options(synchronize_session=False)
        )
        await session.execute(statement)


async def excuse(session: AsyncSession, run_id: str, attempt: int) -> None:
    """Says that a run was not lost by the death of its worker, which says so itself: the database was away, or the
    worker was cut off from it or stopped for a while.

    A run that nobody has taken over is given back; of another, nothing is held against it for that.
    """
    is_ours = Run.attempt == attempt
    statement = (
        update(Run)
        .where(Run.id == run_id, Run.status == "in_progress")
        .values(
            lease_expires_at=case((is_ours, null()), else_=Run.lease_expires_at),
            blame=case((is_ours, Run.blame), else_=func.greatest(Run.blame - _ALONE, 0)),
        )
        .execution_options(synchronize_session=False)
    )
    await session.execute(statement)


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
    overdue = and_(_IS_ACTIVE, Run.status != "cancelling", Run.expires_at <= func.now())
    unheard = and_(Run.status.in_(_AT_WORK), Run.status == "cancelling", _unheld(Run))
    # Each by its own index; together they would be looked for in the whole table.
    found = union_all(
        *(select(Run.id).where(condition).limit(_SWEEP_BATCH).subquery().select() for condition in (overdue, unheard))
    )
    statement = (
        select(Run)
        .where(Run.id.in_(found), or_(overdue, unheard))
        .order_by(Run.seq)
        .limit(_SWEEP_BATCH)
        .with_for_update(skip_locked=True)
    )
    runs = (await session.scalars(statement)).all()
    for run in runs:
        before = (
            [event("thread.run.cancelling", run_schemas.Run.model_validate(run))] if run.status == "cancelling" else []
        )
        ending = "cancelled" if run.status == "cancelling" else "expired"
        run_id, attempt = run.id, run.attempt
        try:
            async with session.begin_nested():
                events = await run_status.finish(session, run, ending, new_attempt=True)
        except DATABASE_AWAY:
            raise
        except Exception:  # one run must not keep the sweep from all others
            log.exception("ending_broke", run_id=run_id)
            await run_status.break_off(session, run_id, attempt, ending, new_attempt=True)
        else:
            events_after_commit(session, run.id, run.attempt, before + events)
    return len(runs)


async def has_waiting(session: AsyncSession, since_seconds: float) -> bool:
    """Returns whether a run has waited for a worker for `since_seconds` and more: its nudge may have been lost."""
    long_ago = func.now() - timedelta(seconds=since_seconds)
    queued = exists().where(Run.status == _QUEUED, Run.queued_at < long_ago, Run.expires_at > func.now())
    left = exists().where(
        Run.status.in_(_AT_WORK), Run.status == "in_progress", _unheld(Run), Run.expires_at > func.now()
    )
    return bool(await session.scalar(select(or_(queued, left))))
