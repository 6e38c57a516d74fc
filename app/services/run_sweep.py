"""What the sweep does about runs that went wrong: their time is over, nobody hears their cancel, or nobody came."""

from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import and_, exists, func, literal_column, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import DATABASE_AWAY
from app.domain.event_names import EventName
from app.domain.statuses import ACTIVE, RunStatus
from app.events import event
from app.models import Run
from app.schemas import runs as run_schemas
from app.services import run_endings
from app.services.run_claims import AT_WORK, QUEUED, unheld
from app.signals import events_after_commit

log = structlog.get_logger()

#: Ours among the advisory locks of the database: one sweep at a time.
_SWEEP_LOCK: Final = 0x10C0_57EE
_SWEEP_BATCH: Final = 100
#: As the index has it: a parameter would hide from Postgres that it fits.
_IS_ACTIVE: Final = Run.status.in_([literal_column(f"'{status}'") for status in ACTIVE])


async def try_sweep_lock(session: AsyncSession) -> bool:
    """Whether this transaction is the one that sweeps now."""
    return bool(await session.scalar(select(func.pg_try_advisory_xact_lock(_SWEEP_LOCK))))


async def end_overdue(session: AsyncSession) -> int:
    """Expires runs that are over their time, and cancels those whose cancel no worker is left to hear.

    Gives the number of runs ended, at most one batch.
    """
    overdue = and_(_IS_ACTIVE, Run.status != RunStatus.CANCELLING, Run.expires_at <= func.now())
    unheard = and_(Run.status.in_(AT_WORK), Run.status == RunStatus.CANCELLING, unheld(Run))
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
        is_cancelling = run.status == RunStatus.CANCELLING
        before = [event(EventName.RUN_CANCELLING, run_schemas.Run.model_validate(run))] if is_cancelling else []
        ending = RunStatus.CANCELLED if is_cancelling else RunStatus.EXPIRED
        run_id, attempt = run.id, run.attempt
        try:
            async with session.begin_nested():
                events = await run_endings.finish(session, run, ending, new_attempt=True)
        except DATABASE_AWAY:
            raise
        except Exception:  # one run must not keep the sweep from all others
            log.exception("ending_broke", run_id=run_id)
            await run_endings.break_off(session, run_id, attempt, ending, new_attempt=True)
        else:
            events_after_commit(session, run.id, run.attempt, before + events)
    return len(runs)


async def has_waiting(session: AsyncSession, since_seconds: float) -> bool:
    """Returns whether a run has waited for a worker for `since_seconds` and more: its nudge may have been lost."""
    long_ago = func.now() - timedelta(seconds=since_seconds)
    queued = exists().where(Run.status == QUEUED, Run.queued_at < long_ago, Run.expires_at > func.now())
    left = exists().where(
        Run.status.in_(AT_WORK), Run.status == RunStatus.IN_PROGRESS, unheld(Run), Run.expires_at > func.now()
    )
    return bool(await session.scalar(select(or_(queued, left))))
