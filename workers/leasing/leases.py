"""What this process holds: its leases are renewed together, and what stops a piece of work is heard here."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Hashable, Iterator, Mapping
from datetime import datetime
from typing import Final, Generic, Literal, Protocol, TypeVar

import structlog
from redis.asyncio import Redis
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.base import now
from app.db.session import Sessions, transaction
from app.errors import in_brief

log = structlog.get_logger()

_RENEWALS_PER_LEASE: Final = 5
_RETRY_SECONDS: Final = 0.2
#: What a renewal may take in any case: a busy machine is not a silent one.
_SHORTEST_RENEWAL: Final = 2.0

#: Why work is interrupted: its client cancelled it, its time is over, this process is to stop, or the work was taken
#: from it (by another worker, the sweep, or a deletion).
Interruption = Literal["cancelled", "expired", "stopping", "lost"]
#: What a lease is held on: the id of a run, or of a file in a vector store.
KeyT = TypeVar("KeyT", bound=Hashable)


class Interrupted(Exception):
    """The work was interrupted; `reason` says what is to be done about it."""

    def __init__(self, reason: Interruption) -> None:
        super().__init__(reason)
        self.reason = reason


class LeaseStore(Protocol[KeyT]):
    """The rows of one kind of work that leases are held on."""

    async def renew(
        self, session: AsyncSession, held: Mapping[KeyT, int], seconds: float
    ) -> Mapping[KeyT, Interruption | None]:
        """Renews the leases of `held` (attempts by key).

        Returns what interrupts each (None: nothing does); those that are not held any more are left out.
        """

    def stops(self, redis: Redis) -> AsyncIterator[str]:
        """Yields, without end, a signal whenever a client has stopped some work."""

    def is_meant(self, key: KeyT, stop: str) -> bool:
        """Returns whether the signal `stop` may be about what `key` stands for."""


class Lease(Generic[KeyT]):
    """The hold of this process on one attempt at a piece of work, which may have a deadline."""

    def __init__(self, key: KeyT, attempt: int, expires_at: datetime | None = None) -> None:
        self.key = key
        self.attempt = attempt
        left = None if expires_at is None else (expires_at - now()).total_seconds()
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
        """Raises Interrupted from the block, at its next await, when the work is interrupted or its time is over."""
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


class Leases(Generic[KeyT]):
    """All leases of this process."""

    def __init__(self, sessions: Sessions, redis: Redis, store: LeaseStore[KeyT], seconds: float) -> None:
        self._sessions = sessions
        self._redis = redis
        self._store = store
        self._seconds = seconds
        self._held: dict[KeyT, Lease[KeyT]] = {}
        self._stopping = False
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def count(self) -> int:
        """How many leases this process holds."""
        return len(self._held)

    @property
    def seconds(self) -> float:
        """How long a lease lasts that is not renewed."""
        return self._seconds

    @property
    def is_stopping(self) -> bool:
        """Whether this process takes no more work."""
        return self._stopping

    @contextlib.contextmanager
    def holding(self, lease: Lease[KeyT]) -> Iterator[Lease[KeyT]]:
        """Keeps the lease of what was claimed renewed while the block lasts."""
        if (lapsed := self._held.get(lease.key)) is not None:
            # This process was silent for too long, and has taken over from itself.
            lapsed.interrupt("lost")
        self._held[lease.key] = lease
        self._empty.clear()
        if self._stopping:
            lease.interrupt("stopping")
        try:
            yield lease
        finally:
            if self._held.get(lease.key) is lease:
                del self._held[lease.key]
            if not self._held:
                self._empty.set()

    async def stop(self) -> None:
        """Interrupts all work, and waits until all of it has been handed back."""
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
        """Renews all leases; interrupts the work that is cancelled or lost. Raises what the database does."""
        if self._held:
            await self._renew(dict(self._held))

    async def listen_for_ever(self) -> None:
        """Looks at once at the rows that a cancel or a deletion is signalled for."""
        async for stop in self._store.stops(self._redis):
            meant = {key: lease for key, lease in self._held.items() if self._store.is_meant(key, stop)}
            if not meant:
                continue
            try:
                await self._renew(meant)
            except (SQLAlchemyError, OSError) as error:
                log.warning("cancel_unheard", about=stop, error=in_brief(error))

    async def _renew(self, leases: Mapping[KeyT, Lease[KeyT]]) -> None:
        attempts = {key: lease.attempt for key, lease in leases.items()}
        async with transaction(self._sessions) as session:
            found = await self._store.renew(session, attempts, self._seconds)
        for key, lease in leases.items():
            if (reason := found.get(key, "lost")) is not None:
                lease.interrupt(reason)
