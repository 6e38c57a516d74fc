"""How workers come by runs: a claim takes the next ones, fair over projects.

How they keep them: app.services.run_leases. Leases are counted by the database's clock alone, so workers need not agree
on the time.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.db.base import now
from app.domain.statuses import RunStatus
from app.models import Project, Run
from app.services import fair_queue, run_blame, run_status

#: As the indexes have it: a parameter would hide from Postgres that they fit.
QUEUED: Final[ColumnElement[str]] = literal_column("'queued'")
AT_WORK: Final[tuple[ColumnElement[str], ...]] = (literal_column("'in_progress'"), literal_column("'cancelling'"))


def unheld(runs: Any) -> ColumnElement[bool]:
    """Whether no worker is believed to have a run of `runs`."""
    return or_(runs.lease_expires_at.is_(None), runs.lease_expires_at <= func.now())


def _claimable(runs: type[Run]) -> ColumnElement[bool]:
    return and_(runs.status.in_((RunStatus.QUEUED, RunStatus.IN_PROGRESS)), unheld(runs), runs.expires_at > func.now())


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
        .where(under_way.status.in_(AT_WORK))
        .cte("at_work")
    )
    load = (
        select(at_work.c.project_id, func.count().label("runs"))
        .where(at_work.c.lease_expires_at > func.now())
        .group_by(at_work.c.project_id)
        .cte("load")
    )
    left = (
        select(at_work.c.id, at_work.c.project_id, at_work.c.queued_at, at_work.c.seq)
        .join(Project, Project.id == at_work.c.project_id)
        .where(
            at_work.c.status == RunStatus.IN_PROGRESS,
            unheld(at_work.c),
            at_work.c.expires_at > func.now(),
            fair_queue.is_open(),
        )
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
    return (
        select(Run.id, Run.status, run_blame.OF_LOSS.label("blame"))
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
    projects = fair_queue.projects(queued.project_id, queued.status == QUEUED, queued.queued_at, queued.seq)
    foremost = (
        select(first.id, first.project_id, first.queued_at, first.seq)
        .where(first.project_id == projects.c.id, first.status == QUEUED, first.expires_at > func.now())
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
    claims = [Claim(run, status == RunStatus.IN_PROGRESS, blame) for run, status, blame in rows]
    return sorted(claims, key=lambda claim: (claim.run.queued_at, claim.run.seq))
