"""How long vector stores live: so many days from when they were last used (contract, section 9)."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import case, delete, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.base import Json, now
from app.db.session import be_patient
from app.domain.statuses import FileStatus
from app.errors import InvalidRequest
from app.models import Chunk, VectorStore, VectorStoreFile


def expiry(expires_after: Json | None, last_active_at: datetime) -> datetime | None:
    """When a store that was last used at `last_active_at` expires."""
    return None if expires_after is None else last_active_at + timedelta(days=expires_after["days"])


def is_expired(store: VectorStore) -> bool:
    """Whether the time of `store` is over."""
    return store.expires_at is not None and store.expires_at <= now()


def refuse_expired(store: VectorStore) -> None:
    """Raises InvalidRequest for a store whose time is over."""
    if is_expired(store):
        raise InvalidRequest(f"Vector store '{store.id}' has expired.", code="vector_store_expired")


def be_active(store: VectorStore) -> None:
    """Notes on a row held by this transaction that the store is being used."""
    store.last_active_at = now()
    store.expires_at = expiry(store.expires_after, store.last_active_at)


async def touch(session: AsyncSession, stores: Iterable[VectorStore]) -> None:
    """Notes that stores are being used. An expired one stays so.

    Nobody waits here: times are told in seconds, so whoever touches a store at this moment does it for all.
    """
    at = now()
    while_ago = at - timedelta(seconds=1)
    stale = [store.id for store in stores if store.last_active_at < while_ago]
    if not stale:
        return
    older = (
        select(VectorStore.id)
        .where(
            VectorStore.id.in_(stale),
            VectorStore.last_active_at < while_ago,
            or_(VectorStore.expires_at.is_(None), VectorStore.expires_at > at),
        )
        .with_for_update(skip_locked=True, key_share=True)
    )
    days = VectorStore.expires_after["days"].as_integer()
    await session.execute(
        update(VectorStore)
        .where(VectorStore.id.in_(older))
        .values(last_active_at=at, expires_at=at + days * text("interval '1 day'"))
        .execution_options(synchronize_session=False)
    )


async def drop_expired(session: AsyncSession) -> bool:
    """Drops what is searched of one expired store, and ends what is being ingested for it. False: there is none.

    One in a transaction, so that it waits for nobody who waits for another store.
    """
    await be_patient(session)
    something_left = (
        select(VectorStoreFile.id)
        .where(
            VectorStoreFile.vector_store_id == VectorStore.id,
            or_(VectorStoreFile.usage_bytes > 0, VectorStoreFile.status == FileStatus.IN_PROGRESS),
        )
        .exists()
    )
    store_id = await session.scalar(
        select(VectorStore.id)
        .where(VectorStore.expires_at <= func.now(), something_left)
        .limit(1)
        .with_for_update(skip_locked=True, key_share=True)
    )
    if store_id is None:
        return False
    status = case(
        (VectorStoreFile.status == FileStatus.IN_PROGRESS, FileStatus.CANCELLED), else_=VectorStoreFile.status
    )
    await session.execute(
        update(VectorStoreFile)
        .where(VectorStoreFile.vector_store_id == store_id)
        .values(usage_bytes=0, status=status, lease_expires_at=None)
        .execution_options(synchronize_session=False)
    )
    await session.execute(delete(Chunk).where(Chunk.vector_store_id == store_id))
    return True
