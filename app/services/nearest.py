"""Which chunks have the vectors nearest to a query's: compared one by one, or found by the model's HNSW index.

The index spans all stores: it is walked outwards from the query until enough chunks in scope have been met. The smaller
the part of all chunks that is in scope, the longer that takes, and the quicker it is to compare those few one by one.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import ColumnElement, Float, Select, bindparam, cast, func, select, text, true
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.base import Json
from app.models import Chunk, EmbeddingModel
from app.services.embedding_models import MOST_INDEXED_DIMENSIONS
from app.services.search_scope import Asked, Scope, Shape, Size, built_once, select_chunks

#: So many are all looked at from all sides, vectors and words.
_FEW: Final = 300
#: So many are compared one by one without a thought.
_ALWAYS_COMPARED: Final = 5_000
#: What one more chunk costs in the index, over what it costs one by one.
_INDEX_COST: Final = 10

# Of the walk: how many candidates it holds at the least, how many it meets at the most, and in how much memory (times
# work_mem). It ends early where enough has been found.
_EF_SEARCH: Final = 300
_MOST_MET: Final = 200_000
_MEMORY: Final = 16


_SETTINGS: Final = {
    "plan_cache_mode": "force_custom_plan",
    "jit": "off",
    # Its costs leave out that words and vectors must be fetched from where long values are kept.
    "enable_seqscan": "off",
    # It cannot tell how many files a filter holds for, and takes few for granted: whether to walk the index or to sort
    # is decided here, by which of the two statements is asked.
    "enable_sort": "off",
    "hnsw.iterative_scan": "relaxed_order",
    "hnsw.ef_search": str(_EF_SEARCH),
    "hnsw.max_scan_tuples": str(_MOST_MET),
    "hnsw.scan_mem_multiplier": str(_MEMORY),
}
#: How many chunks there were when Postgres last looked at the table (-1 if it never did), and the settings.
_PREPARE: Final = select(
    text("(SELECT reltuples FROM pg_class WHERE oid = 'chunks'::regclass)"),
    *(func.set_config(name, value, true()) for name, value in _SETTINGS.items()),
)


def most_compared(chunks: int, limit: int) -> int:
    """Up to how many chunks in scope it pays to compare one by one, of so many in the database, to find `limit`.

    To meet `limit` of n chunks among N, the index is walked over limit * N / n. One by one is cheaper as long as
    n < cost * limit * N / n.
    """
    return max(_ALWAYS_COMPARED, math.isqrt(_INDEX_COST * limit * max(0, chunks)))


async def prepare(session: AsyncSession) -> int:
    """Has the rest of the transaction planned by the values at hand; gives about how many chunks there are in all."""
    return int((await session.execute(_PREPARE)).scalar_one())


async def measure(session: AsyncSession, scope: Scope, limit: int) -> Size:
    """Readies the transaction to find `limit` chunks, and counts those in scope, as far as it matters."""
    in_all = await prepare(session)
    most = most_compared(in_all, limit)
    chunks = (await session.execute(_count(scope.shape), scope.values | {"most": most + 1})).scalar_one()
    return Size(chunks, max(in_all, chunks), few=chunks <= _FEW, many=chunks > most)


async def find(
    session: AsyncSession, scope: Scope, size: Size, model: EmbeddingModel, vector: Sequence[float], limit: int
) -> Sequence[int]:
    """The ids of the chunks by `model` that are nearest to `vector`, by the index where that pays."""
    if size.many and model.dimensions <= MOST_INDEXED_DIMENSIONS:
        found = (await session.scalars(*by_index(scope, model, vector, limit))).all()
        if len(found) == limit:
            return found
    # Also where the index led nowhere: few of the many may be of this model.
    return (await session.scalars(*one_by_one(scope, model, vector, limit))).all()


def by_index(scope: Scope, model: EmbeddingModel, vector: Sequence[float], limit: int) -> Asked:
    """Asks for the ids of about the nearest chunks, by the index."""
    return _in_order(scope.shape, model.dimensions, by_index=True), _values(scope, model, vector, limit)


def one_by_one(scope: Scope, model: EmbeddingModel, vector: Sequence[float], limit: int) -> Asked:
    """Asks for the ids of exactly the nearest chunks."""
    return _in_order(scope.shape, model.dimensions, by_index=False), _values(scope, model, vector, limit)


def similarity(dimensions: int) -> ColumnElement[float]:
    """The cosine of a chunk's vector with the parameter `vector`, both by one model."""
    return 1 - _distance(dimensions)


def _values(scope: Scope, model: EmbeddingModel, vector: Sequence[float], limit: int) -> Json:
    return scope.values | {"model_id": model.id, "vector": vector, "limit": limit}


@built_once
def _count(shape: Shape) -> Select[Any]:
    counted = select_chunks(shape, Chunk.id).limit(bindparam("most")).subquery()
    return select(func.count()).select_from(counted)


@built_once
def _in_order(shape: Shape, dimensions: int, *, by_index: bool) -> Select[Any]:
    distance = _distance(dimensions)
    if not by_index:
        # Nothing is added, so that no index knows the expression.
        distance += 0.0
    of_model = select_chunks(shape, Chunk.id).where(Chunk.embedding_model_id == bindparam("model_id"))
    return of_model.order_by(distance).limit(bindparam("limit"))


def _distance(dimensions: int) -> ColumnElement[float]:
    # The dimensions are part of the type, and so of the index's expression.
    kind = HALFVEC(dimensions)
    return cast(Chunk.embedding, kind).op("<=>", return_type=Float)(cast(bindparam("vector", type_=kind), kind))
