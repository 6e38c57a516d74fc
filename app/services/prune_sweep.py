"""The part of the sweep that keeps to the retention that the settings name."""

from collections.abc import AsyncIterator
from typing import Final

import structlog
from redis.asyncio import Redis

from app.db.session import Sessions
from app.services.pruning import Pruned, Retention, prune
from app.settings import Settings
from app.storage import Storage

log = structlog.get_logger()

#: While this key is there, some process has pruned, or is at it.
PRUNED_KEY: Final = "locum:pruned"
_EVERY_SECONDS: Final = 3600


def retention_of(settings: Settings, project_id: str | None = None) -> Retention:
    """What the settings say of how long things are kept."""
    return Retention(
        settings.prune_threads_days, settings.prune_vector_stores_days, settings.prune_files_days, project_id
    )


class PruneSweep:
    """One a process; a page in each sweep, so that it is never in the way."""

    def __init__(self, sessions: Sessions, storage: Storage, redis: Redis, settings: Settings) -> None:
        self._sessions = sessions
        self._storage = storage
        self._redis = redis
        self._retention = retention_of(settings)
        self._work: AsyncIterator[Pruned] | None = None

    @property
    def at_work(self) -> bool:
        """Whether there is more to look through."""
        return self._work is not None

    async def sweep(self) -> None:
        """Goes on pruning, or begins if it is time. Raises SQLAlchemyError and RedisError; then it begins anew."""
        if not self._retention:
            return
        if self._work is None:
            if not await self._redis.set(PRUNED_KEY, "1", nx=True, ex=_EVERY_SECONDS):
                return
            self._work = prune(self._sessions, self._storage, self._retention)
        work, self._work = self._work, None
        done = await anext(work, None)
        if done is None:
            return
        self._work = work
        if done.count:
            log.info("pruned", kind=done.kind, count=done.count)
