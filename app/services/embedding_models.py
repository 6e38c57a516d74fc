"""The models that vectors come from, and the index that each has over the chunks with its vectors.

An index holds vectors of one length alone, so that each model has one of its own: of `chunks` with its number, cast to
its dimensions. It is made with the model's row, before the first vector, and grows with the chunks.
"""

from typing import Final

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import EmbeddingModel

#: pgvector's HNSW takes half-precision vectors up to here; longer ones are compared one by one.
MOST_INDEXED_DIMENSIONS: Final = 4000

#: Neighbours of a node, and how many candidates are looked at when one is added. With 64 of them, as is usual, whole
#: clusters of like texts could not be reached (benchmarks/retrieval.py); with 128 a chunk takes a millisecond longer.
_M: Final = 16
_EF_CONSTRUCTION: Final = 128

#: Any number that is ours alone: "models" in ASCII.
_LOCK: Final = 0x6D6F64656C73


async def ensure_model(session: AsyncSession, name: str, dimensions: int) -> EmbeddingModel:
    """The row of a model, made with its index if it is new; several processes may ask at once.

    Making the index keeps others from writing chunks until the transaction ends: call this in one that has not
    written any itself.
    """
    if (found := await _find(session, name, dimensions)) is not None:
        return found
    await session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    if (found := await _find(session, name, dimensions)) is not None:
        return found
    model = EmbeddingModel(name=name, dimensions=dimensions)
    session.add(model)
    await session.flush()
    await create_index(session, model)
    return model


async def create_index(session: AsyncSession, model: EmbeddingModel) -> None:
    """Makes the index of `model` if there is none and it can have one."""
    if model.dimensions <= MOST_INDEXED_DIMENSIONS:
        # Indexes are made by the owner of a table. Until the end of the transaction, that is what it is.
        await session.execute(text("SET LOCAL ROLE NONE"))
        await session.execute(text(_index(model.id, model.dimensions)))


def _index(model_id: int, dimensions: int) -> str:
    # Numbers that the database made itself; DDL takes no parameters.
    return (
        f"CREATE INDEX IF NOT EXISTS {index_name(model_id)} ON chunks"
        f" USING hnsw ((embedding::halfvec({dimensions})) halfvec_cosine_ops)"
        f" WITH (m = {_M}, ef_construction = {_EF_CONSTRUCTION}) WHERE embedding_model_id = {model_id}"
    )


def index_name(model_id: int) -> str:
    """What the index of a model is called."""
    return f"chunks_embedding_{model_id}_idx"


async def _find(session: AsyncSession, name: str, dimensions: int) -> EmbeddingModel | None:
    statement = select(EmbeddingModel).where(EmbeddingModel.name == name, EmbeddingModel.dimensions == dimensions)
    return (await session.execute(statement)).scalar_one_or_none()
