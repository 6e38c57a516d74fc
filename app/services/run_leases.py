"""How a worker keeps the runs that it has claimed, and gives them back.

Leases are counted by the database's clock alone, so workers need not agree on the time.
"""

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.statuses import AT_WORK
from app.models import Run
from app.services import run_status


async def renew(session: AsyncSession, held: Mapping[str, int], lease_seconds: float) -> dict[str, str]:
    """Renews the leases of `held` (attempt by run id); gives the status of each run that is still held so."""
    statement = (
        update(Run)
        .where(
            tuple_(Run.id, Run.attempt).in_(list(held.items())),
            Run.status.in_(AT_WORK),
        )
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
