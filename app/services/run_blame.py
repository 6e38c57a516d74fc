"""What is held against a run whose worker was lost: it may be the run that takes its workers with it.

`runs.blame` counts it, since the run last made progress (docs/decisions/0015-a-run-that-takes-its-workers-with-it.md).
"""

from typing import Final

from sqlalchemy import and_, case, func, null, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.statuses import RunStatus
from app.models import Run

#: What is held against a run whose worker was lost: it was alone with it, or one of several. At _TOO_MUCH it is not
#: executed again. So a run that kills its workers does so four times, or eight times beside others. Fewer would do
#: for such a run, but a worker may also be killed from outside, and that must cost no run.
_ALONE: Final = 2
_IN_COMPANY: Final = 1
_TOO_MUCH: Final = 8

# A lease that lapsed was not given back: its worker was lost.
_IS_LOST: Final = and_(Run.status == RunStatus.IN_PROGRESS, Run.lease_expires_at.is_not(None))
#: What a claim holds against the run that it takes.
OF_LOSS: Final = case((~_IS_LOST, 0), (Run.company <= 1, _ALONE), else_=_IN_COMPANY)


def is_hopeless(run: Run) -> bool:
    """Returns whether not even a look at what the run has done is safe."""
    return run.blame >= 2 * _TOO_MUCH


def is_too_much(run: Run, progress: int) -> bool:
    """Returns whether the run is not to be executed again; `progress` is how far it has come."""
    return progress <= run.progress and run.blame >= _TOO_MUCH


async def note_progress(session: AsyncSession, run: Run, progress: int, blame: int) -> None:
    """Writes down how far a run that was taken over has come.

    What was held against it before is forgotten, but for the `blame` of this claim.
    """
    if progress > run.progress:
        statement = (
            update(Run)
            .where(Run.id == run.id, Run.attempt == run.attempt)
            .values(progress=progress, blame=blame)
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
        .where(Run.id == run_id, Run.status == RunStatus.IN_PROGRESS)
        .values(
            lease_expires_at=case((is_ours, null()), else_=Run.lease_expires_at),
            blame=case((is_ours, Run.blame), else_=func.greatest(Run.blame - _ALONE, 0)),
        )
        .execution_options(synchronize_session=False)
    )
    await session.execute(statement)
