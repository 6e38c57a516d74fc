"""Which files vector stores hold: all that v1 wants to know of them."""

from collections.abc import Collection

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import VectorStoreFile
from app.pagination import scoped
from app.v1.answers import StoreFiles
from app.v1.requests import ASSISTANT_FILES


async def first_files(session: AsyncSession, project_id: str, store_ids: Collection[str]) -> StoreFiles:
    """The files of these stores, in the order of their adding: one more at most than an assistant of v1 can have."""
    if not store_ids:
        return {}
    place = func.row_number().over(partition_by=VectorStoreFile.vector_store_id, order_by=VectorStoreFile.seq)
    numbered = (
        scoped(VectorStoreFile, project_id)
        .where(VectorStoreFile.vector_store_id.in_(store_ids))
        .with_only_columns(VectorStoreFile.vector_store_id, VectorStoreFile.id, place.label("place"))
        .subquery()
    )
    statement = (
        numbered.select().where(numbered.c.place <= ASSISTANT_FILES + 1).order_by(numbered.c.vector_store_id, "place")
    )
    files: dict[str, list[str]] = {}
    for store_id, file_id, _ in await session.execute(statement):
        files.setdefault(store_id, []).append(file_id)
    return files
