"""The leases on runs."""

from collections.abc import AsyncIterator, Mapping
from typing import Final

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import Sessions, transaction
from app.domain.statuses import RunStatus
from app.models import Run
from app.services import run_blame, run_leases
from app.signals import stops
from workers.leasing.leases import Interruption, Lease, Leases

#: By the status of a run that is held.
_INTERRUPTIONS: Final[Mapping[str, Interruption | None]] = {
    RunStatus.IN_PROGRESS: None,
    RunStatus.CANCELLING: "cancelled",
}

RunLease = Lease[str]


def lease_on(run: Run) -> RunLease:
    """Returns the lease of a claimed run, which ends with the run's time."""
    return Lease(run.id, run.attempt, run.expires_at)


class RunLeaseStore:
    """The rows of runs."""

    async def renew(
        self, session: AsyncSession, held: Mapping[str, int], seconds: float
    ) -> Mapping[str, Interruption | None]:
        """Renews the leases on runs: see LeaseStore."""
        found = await run_leases.renew(session, held, seconds)
        return {run_id: _INTERRUPTIONS[status] for run_id, status in found.items()}

    def stops(self, redis: Redis) -> AsyncIterator[str]:
        """Yields the ids of runs that are cancelled or deleted."""
        return stops(redis)

    def is_meant(self, key: str, stop: str) -> bool:
        """Returns whether this very run was stopped."""
        return key == stop


class RunLeases(Leases[str]):
    """All leases on runs of this process."""

    def __init__(self, sessions: Sessions, redis: Redis, seconds: float) -> None:
        super().__init__(sessions, redis, RunLeaseStore(), seconds)
        #: Runs that were lost although this process lives, with their attempts: the database is still to be told.
        self._excused: list[tuple[str, int]] = []

    def excuse(self, lease: RunLease) -> None:
        """Has the database told, when it can be, that the run was not lost by the death of this process."""
        self._excused.append((lease.key, lease.attempt))

    async def renew(self) -> None:
        """Renews all leases, after the database has been told of excuses. Raises what the database does."""
        if self._excused:
            await self._tell_excused()
        await super().renew()

    async def _tell_excused(self) -> None:
        excused = list(self._excused)
        async with transaction(self._sessions) as session:
            for run_id, attempt in excused:
                await run_blame.excuse(session, run_id, attempt)
        del self._excused[: len(excused)]
