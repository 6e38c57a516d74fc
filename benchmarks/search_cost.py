"""What a search through HTTP costs over the same SQL by hand."""

import time
from collections.abc import Sequence
from typing import Any

import asyncpg
from sqlalchemy import event

from app.embedded import minilm
from app.services import vector_search
from benchmarks.client import post
from benchmarks.collection import Maker, load
from benchmarks.figures import percentile
from benchmarks.surroundings import Surroundings

CHUNKS = 100_000
QUERIES = 60
_WARM_UP = 10

Statement = tuple[str, Sequence[Any]]


async def measure(around: Surroundings) -> None:
    """In one store with everything, and in a store of 100 among 1,000 such."""
    print(f"a search through HTTP without the embedding of its query, against its SQL by hand, {QUERIES} queries each")
    model = await around.new_model(minilm.NAME, indexed=False)
    maker = Maker.of_size(CHUNKS)
    with around.database.transaction():
        large = load(around.database, around.project, model.id, maker, CHUNKS, CHUNKS)
        small = load(around.database, around.project, model.id, maker, CHUNKS, 100)
    await around.index(model)
    queries = [maker.text(8) for _ in range(QUERIES + _WARM_UP)]
    await _compare(around, f"{CHUNKS:,} chunks in one store", large[0], queries)
    await _compare(around, f"100 chunks, a store of {len(small):,}", small[len(small) // 2], queries)


async def _compare(around: Surroundings, what: str, store: str, queries: Sequence[str]) -> None:
    through: list[float] = []
    embedding: list[float] = []
    by_hand: list[float] = []
    connection = await asyncpg.connect(around.locum.database_url)
    try:
        for number, query in enumerate(queries):
            statements = await _statements(around, store, query)
            times = (
                await _http(around, store, query),
                await _embedding(around, query),
                await _sql(connection, statements),
            )
            if number >= _WARM_UP:
                for figures, seconds in zip((through, embedding, by_hand), times, strict=True):
                    figures.append(seconds * 1000)
    finally:
        await connection.close()
    print(f"  {what}: {len(statements)} statements")
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        beyond = percentile([all_ - part for all_, part in zip(through, embedding, strict=True)], share)
        sql = percentile(by_hand, share)
        print(
            f"    {name}: HTTP {percentile(through, share):6.1f} ms   embedding {percentile(embedding, share):5.1f} ms"
            f"   beyond it {beyond:6.1f} ms   SQL by hand {sql:6.1f} ms   ratio {beyond / sql:.2f}"
        )


async def _http(around: Surroundings, store: str, query: str) -> float:
    begun = time.perf_counter()
    await post(around.http, f"{around.locum.base_url}/vector_stores/{store}/search", {"query": query})
    return time.perf_counter() - begun


async def _embedding(around: Surroundings, query: str) -> float:
    begun = time.perf_counter()
    await around.embedder.embed([query])
    return time.perf_counter() - begun


async def _sql(connection: asyncpg.Connection, statements: Sequence[Statement]) -> float:
    begun = time.perf_counter()
    async with connection.transaction():
        for statement, parameters in statements:
            await connection.fetch(statement, *parameters)
    return time.perf_counter() - begun


async def _statements(around: Surroundings, store: str, query: str) -> list[Statement]:
    """What a search asks the database."""
    heard: list[Statement] = []

    def listen(_: Any, _cursor: Any, statement: str, parameters: Sequence[Any], *_rest: Any) -> None:
        heard.append((statement, parameters))

    async with around.sessions() as session:
        engine = (await session.connection()).engine.sync_engine
    event.listen(engine, "before_cursor_execute", listen)
    try:
        await vector_search.search(
            around.sessions, around.embedder, around.project, [store], [query], text_search_config="english", limit=10
        )
    finally:
        event.remove(engine, "before_cursor_execute", listen)
    return heard
