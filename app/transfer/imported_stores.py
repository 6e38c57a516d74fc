"""Vector stores of a dump. What is searched in them the ingestion workers make anew, from the files' contents."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.base import now
from app.models import File, VectorStore
from app.models.file import WITHOUT_CONTENTS
from app.services import store_expiry
from app.transfer.imported_files import NO_CONTENTS
from app.transfer.objects import Row, Saved, SavedStore


def store(row: Row, saved: Saved) -> Row:
    """The row of a vector store. One whose time ran out while it lay in the dump counts as used now."""
    assert isinstance(saved, SavedStore)  # noqa: S101 - for mypy
    if saved.status == "expired" or row["expires_at"] is None or row["expires_at"] > now():
        return row
    at = now()
    return {**row, "last_active_at": at, "expires_at": store_expiry.expiry(row["expires_after"], at)}


async def files(session: AsyncSession, rows: Sequence[Row]) -> list[Row]:
    """The rows of files in vector stores: those that were searched wait for their ingestion, if they can have one."""
    empty = set(
        await session.scalars(
            select(File.id).where(File.id.in_({row["id"] for row in rows}), File.status == WITHOUT_CONTENTS)
        )
    )
    store_ids = {row["vector_store_id"] for row in rows}
    expired = set(
        await session.scalars(
            select(VectorStore.id).where(VectorStore.id.in_(store_ids), VectorStore.expires_at <= func.now())
        )
    )
    return [_file(row, is_empty=row["id"] in empty, is_over=row["vector_store_id"] in expired) for row in rows]


def _file(row: Row, *, is_empty: bool, is_over: bool) -> Row:
    row = {**row, "ready_at": now(), "attempt": 0, "usage_bytes": 0}
    if row["status"] not in ("in_progress", "completed"):
        return row
    if is_over:
        return {**row, "status": "cancelled" if row["status"] == "in_progress" else "completed"}
    if is_empty:
        return {**row, "status": "failed", "last_error": NO_CONTENTS}
    return {**row, "status": "in_progress", "last_error": None}
