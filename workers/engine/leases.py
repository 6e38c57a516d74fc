"""The runs that this process holds: their leases are renewed together, and what stops a run is heard here."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Final, Literal

import structlog
from redis.asyncio import Redis
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app.db.base import now
from app.db.session import Sessions, transaction
from app.errors import in_brief
from app.models import Run
from app.services import run_blame, run_leases
from app.signals import stops

log = structlog.get_logger()

_RENEWALS_PER_LEASE: Final = 5
_RETRY_SECONDS: Final = 0.2
#: What a renewal may take in any case: a busy machine is not a silent one.
_SHORTEST_RENEWAL: Final = 2.0

#: Why a run's work is interrupted: its client cancelled it, its time is over, this process is to stop, or the run has
#: been taken from it (by another worker, the sweep, or the deletion of its thread).
Interruption = Literal["cancelled", "expired", "stopping", "lost"]


class Interrupted(Exception):
    """The work on a run was interrupted; `reason` says what is to be done about it."""

    def __init__(self, reason: Interruption) -> None:
        super().__init__(reason)
        self.reason = reason


class Lease:
    """The hold of this process on one attempt at a run."""

    def __init__(self, run: Run) -> None:
        self.run_id = run.id
        self.attempt = run.attempt
        left = None if run.expires_at is None else (run.expires_at - now()).total_seconds()
        self._deadline = None if left is None else asyncio.get_running_loop().time() + left
        self._reason: Interruption | None = None
        self._scope: asyncio.Timeout | None = None

    def interrupt(self, reason: Interruption) -> None:
        """Interrupts the work inside `interruptible`, now or when it is next entered. The first reason holds."""
        if self._reason is None:
            self._reason = reason
            if self._scope is not None:
                self._scope.reschedule(asyncio.get_running_loop().time())

    @contextlib.asynccontextmanager
    async def interruptible(self) -> AsyncIterator[None]:
        """Raises Interrupted from the block, at its next await, when the run is interrupted or its time is over."""
        if self._reason is not None:
            raise Interrupted(self._reason)
        try:
            async with asyncio.timeout_at(self._deadline) as self._scope:
                yield
        except TimeoutError:
            if self._scope is None or not self._scope.expired():
                raise
            raise Interrupted(self._reason or "expired") from None
        finally:
            self._scope = None


class Leases:
    """All leases of this process."""

    def __init__(self, sessions: Sessions, redis: Redis, seconds: float) -> None:
        self._sessions = sessions
        self._redis = redis
        self._seconds = seconds
        self._held: dict[str, Lease] = {}
        #: Runs that were lost although this process lives, with their attempts: the database is still to be told.
        self._excused: list[tuple[str, int]] = []
        self._stopping = False
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def count(self) -> int:
        """How many runs this process holds."""
        return len(self._held)

    @property
    def is_stopping(self) -> bool:
        """Whether this process takes no more runs."""
        return self._stopping

    @contextlib.contextmanager
    def holding(self, run: Run) -> Iterator[Lease]:
        """Keeps the lease of a claimed run renewed while the block lasts."""
        lease = Lease(run)
        if (lapsed := self._held.get(run.id)) is not None:
            # This process was silent for too long, and has taken over from itself.
            lapsed.interrupt("lost")
        self._held[run.id] = lease
        self._empty.clear()
        if self._stopping:
            lease.interrupt("stopping")
        try:
            yield lease
        finally:
            if self._held.get(run.id) is lease:
                del self._held[run.id]
            if not self._held:
                self._empty.set()

    def excuse(self, lease: Lease) -> None:
        """Has the database told, when it can be, that the run was not lost by the death of this process."""
        self._excused.append((lease.run_id, lease.attempt))

    async def stop(self) -> None:
        """Interrupts every run, and waits until all of them have been handed back."""
        self._stopping = True
        for lease in list(self._held.values()):
            lease.interrupt("stopping")
        await self._empty.wait()

    async def renew_for_ever(self) -> None:
        """Renews all leases several times within a lease, whatever happens to the database."""
        pause = self._seconds / _RENEWALS_PER_LEASE
        while True:
            await asyncio.sleep(pause)
            pause = self._seconds / _RENEWALS_PER_LEASE
            try:
                # So that another try finds the leases alive, where a connection has fallen silent.
                async with asyncio.timeout(max(self._seconds / 4, _SHORTEST_RENEWAL)):
                    await self.renew()
            except (SQLAlchemyError, OSError) as error:
                log.warning("renewal_failed", error=in_brief(error))
                pause = min(pause, _RETRY_SECONDS)

    async def renew(self) -> None:
        """Renews all leases; interrupts the runs that are cancelled or lost. Raises what the database does."""
        if self._excused:
            await self._tell_excused()
        held = dict(self._held)
        if not held:
            return
        async with transaction(self._sessions) as session:
            attempts = {run_id: lease.attempt for run_id, lease in held.items()}
            found = await run_leases.renew(session, attempts, self._seconds)
        self._notice(held, found)

    async def _tell_excused(self) -> None:
        excused = list(self._excused)
        async with transaction(self._sessions) as session:
            for run_id, attempt in excused:
                await run_blame.excuse(session, run_id, attempt)
        del self._excused[: len(excused)]

    async def listen_for_ever(self) -> None:
        """Looks at a run's row at once when its cancel or deletion is signalled."""
        async for run_id in stops(self._redis):
            lease = self._held.get(run_id)
            if lease is None:
                continue
            try:
                async with transaction(self._sessions) as session:
                    statement = select(Run.status).where(Run.id == run_id, Run.attempt == lease.attempt)
                    status = await session.scalar(statement)
            except (SQLAlchemyError, OSError) as error:
                log.warning("cancel_unheard", run_id=run_id, error=in_brief(error))
                continue
            self._notice({run_id: lease}, {} if status is None else {run_id: status})

    def _notice(self, held: Mapping[str, Lease], found: Mapping[str, str]) -> None:
        for run_id, lease in held.items():
            status = found.get(run_id)
            if status == "cancelling":
                lease.interrupt("cancelled")
            elif status != "in_progress":
                lease.interrupt("lost")
