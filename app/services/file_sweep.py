"""The part of the sweep that looks after files: what has expired, and bytes that a crash has left without a row."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa
import structlog
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import Sessions, transaction
from app.domain.statuses import UploadStatus
from app.models import File, Upload, UploadPart
from app.services import files, storage_budget, uploads
from app.services.stored_bytes import KINDS, ORPHANED_SECONDS, remove
from app.storage import Storage, StorageAway, StoredObject

log = structlog.get_logger()

#: Of one sweep, which comes every few seconds.
_FILES: Final = 50
_UPLOADS: Final = 5
_OBJECTS: Final = 1000

#: While this key is there, the storage has been looked through, or is being, by some process.
LISTED_KEY: Final = "locum:storage:listed"
_LISTED_SECONDS: Final = 600
#: The same for what each project has stored.
COUNTED_KEY: Final = "locum:storage:counted"
_COUNTED_SECONDS: Final = 86_400


class FileSweep:
    """One a process. Processes may sweep at the same time: rows are locked, and each has its turn at the storage."""

    def __init__(self, sessions: Sessions, storage: Storage, redis: Redis) -> None:
        self._sessions = sessions
        self._storage = storage
        self._redis = redis
        self._listing: AsyncIterator[StoredObject] | None = None

    async def sweep(self) -> None:
        """One sweep; what it leaves is for the next. Raises SQLAlchemyError and RedisError."""
        async with transaction(self._sessions) as session:
            expired = await self._end_uploads(session)
        async with transaction(self._sessions) as session:
            expired += await self._delete_files(session)
        if expired:
            log.info("files_and_uploads_expired", count=expired)
        if await self._redis.set(COUNTED_KEY, "1", nx=True, ex=_COUNTED_SECONDS):
            await storage_budget.recount(self._sessions)
        try:
            await self._remove_orphans()
        except StorageAway:
            self._listing = None

    async def _end_uploads(self, session: AsyncSession) -> int:
        overdue = sa.select(Upload).where(Upload.status == "pending", Upload.expires_at <= sa.func.now())
        found = (await session.scalars(overdue.limit(_UPLOADS).with_for_update(skip_locked=True))).all()
        for upload in sorted(found, key=lambda one: one.project_id):
            await uploads.close(session, self._storage, upload, UploadStatus.EXPIRED)
        return len(found)

    async def _delete_files(self, session: AsyncSession) -> int:
        expired = sa.select(File).where(File.expires_at <= sa.func.now())
        found = (await session.scalars(expired.limit(_FILES).with_for_update(skip_locked=True))).all()
        await files.discard(session, self._storage, found)
        return len(found)

    async def _remove_orphans(self) -> None:
        """Goes on looking through the storage, or begins if it is time: every ten minutes, by one process."""
        if self._listing is None:
            if not await self._redis.set(LISTED_KEY, "1", nx=True, ex=_LISTED_SECONDS):
                return
            self._listing = self._everything()
            await self._storage.clear_unfinished(_long_ago())
        some = [found async for found in _first(self._listing, _OBJECTS)]
        if len(some) < _OBJECTS:
            self._listing = None
        before = _long_ago()
        old = [found.key.partition("/")[2] for found in some if found.modified < before]
        async with transaction(self._sessions) as session:
            orphans = await _without_row(session, old)
        await remove(self._storage, orphans)
        if orphans:
            log.warning("bytes_without_row_removed", count=len(orphans))

    async def _everything(self) -> AsyncIterator[StoredObject]:
        for kind in KINDS.values():
            async for found in self._storage.list(kind):
                yield found


def _long_ago() -> datetime:
    return datetime.now(UTC) - timedelta(seconds=ORPHANED_SECONDS)


async def _first(listing: AsyncIterator[StoredObject], count: int) -> AsyncIterator[StoredObject]:
    for _ in range(count):
        found = await anext(listing, None)
        if found is None:
            return
        yield found


async def _without_row(session: AsyncSession, object_ids: Sequence[str]) -> list[str]:
    if not object_ids:
        return []
    owned: set[str] = set()
    for model in (File, UploadPart):
        owned.update(await session.scalars(sa.select(model.id).where(model.id.in_(object_ids))))
    return [object_id for object_id in object_ids if object_id not in owned]
