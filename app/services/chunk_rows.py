"""What an ingestion writes into `chunks`. Each function is one step of it, and raises FileLost (ingestion_claims).

The chunks of a file are written in the order of their positions, so how many there are is how far it has come.
"""

import typing
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    CursorResult,
    Integer,
    Select,
    Text,
    and_,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.statuses import FileStatus
from app.models import Chunk, EmbeddingModel, VectorStoreFile
from app.services import ingestion_claims, text_search
from app.services.ingestion_claims import Claim

Vector = Sequence[float]

#: What a chunk is, besides whose it is.
_COLUMNS: Final = ("position", "text", "page", "embedding_model_id", "embedding", "words")


async def resume(session: AsyncSession, claim: Claim, model: str) -> int:
    """How many chunks the file has from an earlier try. Those of another model are dropped."""
    await ingestion_claims.hold(session, claim)
    of_model = func.bool_and(EmbeddingModel.name == model)
    statement = (
        select(func.count(), of_model)
        .select_from(Chunk)
        .join(EmbeddingModel, EmbeddingModel.id == Chunk.embedding_model_id)
        .where(_of(claim))
    )
    count, same_model = (await session.execute(statement)).one()
    if count and not same_model:
        await drop(session, claim)
        return 0
    return int(count)


def _of(claim: Claim) -> ColumnElement[bool]:
    return and_(Chunk.vector_store_id == claim.vector_store_id, Chunk.file_id == claim.file_id)


async def drop(session: AsyncSession, claim: Claim) -> None:
    """Drops the chunks of the file."""
    await session.execute(delete(Chunk).where(_of(claim)))


@dataclass(frozen=True, slots=True)
class Twin:
    """A file of the same text in a vector store, cut and embedded as is wanted."""

    vector_store_id: str
    file_id: str


async def find_twin(session: AsyncSession, claim: Claim, document_id: int, model: str) -> Twin | None:
    """A completed file of the same project whose chunks are what those of this file will be, if there is one."""
    file = VectorStoreFile
    statement = (
        select(file.vector_store_id, file.id)
        .join(EmbeddingModel, EmbeddingModel.id == file.embedding_model_id)
        .where(
            file.project_id == claim.project_id,
            file.document_id == document_id,
            file.chunking_strategy == claim.chunking_strategy,
            file.status == FileStatus.COMPLETED,
            file.usage_bytes > 0,
            EmbeddingModel.name == model,
        )
        .limit(1)
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else Twin(*row)


async def copy(session: AsyncSession, claim: Claim, twin: Twin, start: int, limit: int) -> int:
    """Copies the chunks of `twin` from the position `start`, at most `limit`; gives how many there were."""
    await ingestion_claims.hold(session, claim)
    source = select(*_owner(claim), *(getattr(Chunk, name) for name in _COLUMNS)).where(
        Chunk.vector_store_id == twin.vector_store_id,
        Chunk.file_id == twin.file_id,
        Chunk.position >= start,
        Chunk.position < start + limit,
    )
    return await _insert(session, source)


async def add(
    session: AsyncSession,
    claim: Claim,
    start: int,
    chunks: Sequence[tuple[str, int | None]],
    vectors: Sequence[Vector],
    model_id: int,
    config: str,
) -> None:
    """Adds chunks (text and page) with their vectors from the position `start`; `config` is that of their words."""
    await ingestion_claims.hold(session, claim)
    given = (
        func.unnest(
            cast([text for text, _ in chunks], ARRAY(Text)),
            cast([page for _, page in chunks], ARRAY(Integer)),
            cast([str(vector) for vector in vectors], ARRAY(Text)),
        )
        .table_valued("text", "page", "embedding", with_ordinality="number", name="given")
        .render_derived()
    )
    columns = given.c
    source = select(
        *_owner(claim),
        columns.number + (start - 1),
        columns.text,
        columns.page,
        literal(model_id),
        cast(columns.embedding, HALFVEC()),
        text_search.words_of(columns.text, config),
    )
    await _insert(session, source)


def _owner(claim: Claim) -> tuple[ColumnElement[str], ...]:
    return literal(claim.project_id), literal(claim.vector_store_id), literal(claim.file_id)


async def _insert(session: AsyncSession, source: Select[*tuple[Any, ...]]) -> int:
    into = [Chunk.project_id, Chunk.vector_store_id, Chunk.file_id, *(getattr(Chunk, name) for name in _COLUMNS)]
    result = await session.execute(insert(Chunk).from_select(into, source))
    return typing.cast("CursorResult[Any]", result).rowcount


async def complete(session: AsyncSession, claim: Claim) -> bool:
    """Ends the ingestion of a file whose chunks are all there. False, and nothing done: there are none."""
    size = func.sum(func.octet_length(Chunk.text) + 2 * EmbeddingModel.dimensions)
    statement = (
        select(size, func.max(Chunk.embedding_model_id))
        .select_from(Chunk)
        .join(EmbeddingModel, EmbeddingModel.id == Chunk.embedding_model_id)
        .where(_of(claim))
    )
    usage_bytes, model_id = (await session.execute(statement)).one()
    if usage_bytes is None:
        return False
    await ingestion_claims.note(
        session,
        claim,
        status=FileStatus.COMPLETED,
        usage_bytes=int(usage_bytes),
        embedding_model_id=model_id,
        last_error=None,
        lease_expires_at=None,
    )
    return True
