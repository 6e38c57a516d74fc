"""The texts of files: parsed once for all files of a project that have the same bytes and are of the same kind."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import be_patient
from app.models import Document, VectorStoreFile

_DROPPED_AT_ONCE: Final = 100


async def find(session: AsyncSession, project_id: str, sha256: bytes, kind: str) -> Document | None:
    """The document of these bytes, if they have been parsed as this kind."""
    statement = select(Document).where(
        Document.project_id == project_id, Document.sha256 == sha256, Document.kind == kind
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def keep(
    session: AsyncSession, project_id: str, sha256: bytes, kind: str, text: str, page_starts: Sequence[int]
) -> int:
    """The id of the document with this text, made if somebody else has not made it meanwhile.

    Link to it in the same transaction, or the sweep may find it unused.
    """
    statement = insert(Document).values(
        project_id=project_id, sha256=sha256, kind=kind, text=text, page_starts=list(page_starts)
    )
    key = (Document.project_id, Document.sha256, Document.kind)
    # An update that changes nothing: it locks the row, which `DO NOTHING` would neither do nor give back.
    statement = statement.on_conflict_do_update(index_elements=key, set_={"kind": statement.excluded.kind})
    return (await session.execute(statement.returning(Document.id))).scalar_one()


async def drop_unused(session: AsyncSession) -> int:
    """Drops texts that no file in any vector store has any more; gives their number, at most one batch."""
    await be_patient(session)
    unused = ~select(VectorStoreFile.id).where(VectorStoreFile.document_id == Document.id).exists()
    candidates = select(Document.id).where(unused).limit(_DROPPED_AT_ONCE).with_for_update(skip_locked=True)
    document_ids = list(await session.scalars(candidates))
    # Looked at once more: until it was locked, a document may have come into use.
    statement = delete(Document).where(Document.id.in_(document_ids), unused).returning(Document.id)
    dropped = await session.scalars(statement.execution_options(synchronize_session=False))
    return len(list(dropped))
