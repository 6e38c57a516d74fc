"""What the index finds of what comparing one by one finds."""

import time
from collections.abc import Sequence

import psycopg

from app.db.session import Sessions
from app.models import EmbeddingModel
from app.services import nearest
from app.services.search_scope import Scope
from benchmarks.collection import Maker, Vectors, load
from benchmarks.figures import percentile
from benchmarks.surroundings import Surroundings

QUERIES = 100
FOUND = 20
#: What a search takes from the side of vectors.
_CANDIDATES = 100
_PER_STORE = 100


async def measure(around: Surroundings, sizes: Sequence[int]) -> None:
    """For each size: one store with everything, and as many chunks in stores of 100."""
    print(f"recall@{FOUND} against comparing one by one, {QUERIES} queries, 384 dimensions")
    for size in sizes:
        for per_store in (size, _PER_STORE):
            await _collection(around, size, per_store)


async def _collection(around: Surroundings, size: int, per_store: int) -> None:
    maker = Maker.of_size(size)
    # A small collection grows as they do in use; for a large one the index is made at once, which takes less time.
    growing = size <= 10_000
    model = await around.new_model(f"recall-{size}-{per_store}", indexed=growing)
    begun = time.perf_counter()
    with around.database.transaction():
        stores = load(around.database, around.project, model.id, maker, size, per_store)
    await around.index(model)
    loaded = time.perf_counter() - begun
    queries = maker.vectors(QUERIES)
    shares, searched, compared = await _compare(around.sessions, around.project, model, stores, queries)
    print(
        f"  {size:>9,} chunks in {len(stores):>6,} {'store ' if len(stores) == 1 else 'stores'}"
        f"   recall {sum(shares) / len(shares):.4f} (worst {min(shares):.2f})"
        f"   p50 {percentile(searched, 0.5):6.1f} ms, one by one {percentile(compared, 0.5):6.1f} ms"
        f"   loaded in {loaded:.0f} s"
    )
    _drop(around.database, model.id)


async def _compare(
    sessions: Sessions, project: str, model: EmbeddingModel, stores: Sequence[str], queries: Vectors
) -> tuple[list[float], list[float], list[float]]:
    """For each query the share that is found, and milliseconds to find and to compare."""
    shares, searched, compared = [], [], []
    for number, vector in enumerate(queries.tolist()):
        scope = Scope(project, [stores[number * len(stores) // len(queries)]])
        async with sessions() as session:
            size = await nearest.measure(session, scope, _CANDIDATES)
            begun = time.perf_counter()
            found = await nearest.find(session, scope, size, model, vector, _CANDIDATES)
            between = time.perf_counter()
            exact = set(await session.scalars(*nearest.one_by_one(scope, model, vector, FOUND)))
            compared.append((time.perf_counter() - between) * 1000)
            searched.append((between - begun) * 1000)
        shares.append(len(exact.intersection(found)) / len(exact))
    return shares, searched, compared


def _drop(database: psycopg.Connection[object], model_id: int) -> None:
    database.execute("TRUNCATE vector_stores, files CASCADE")
    database.execute(f"DROP INDEX chunks_embedding_{model_id}_idx")
    database.execute("DELETE FROM embedding_models WHERE id = %s", [model_id])
