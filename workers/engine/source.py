"""Runs, as workers claim them."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app.services import run_claims
from app.services.run_claims import Claim
from app.signals import Signals
from workers.engine.execute import execute
from workers.engine.process import WorkerProcess
from workers.leasing.dispatcher import Dispatcher


class RunSource:
    """Where runs come from, and how one is executed."""

    def __init__(self, process: WorkerProcess) -> None:
        self._process = process

    async def claim(self, session: AsyncSession, limit: int) -> Sequence[Claim]:
        """Takes the next runs, fair over projects."""
        leases = self._process.leases
        return await run_claims.claim(session, leases.seconds, limit, leases.count)

    def name(self, claim: Claim) -> str:
        """Returns the run's id."""
        return claim.run.id

    async def work(self, claim: Claim) -> None:
        """Executes the run."""
        await execute(self._process, claim)

    async def nudge(self, signals: Signals) -> None:
        """Tells the workers that more runs are waiting."""
        await signals.nudge()


def dispatcher(process: WorkerProcess) -> Dispatcher[Claim]:
    """Returns what executes runs in `process`."""
    return Dispatcher(
        process.sessions.of_all(), process.leases, RunSource(process), process.settings.worker_concurrency
    )
