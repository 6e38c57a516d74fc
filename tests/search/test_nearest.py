"""The index finds what comparing one by one finds, and is asked only where it pays."""

import asyncio
import random

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import transaction
from app.models import Chunk, EmbeddingModel
from app.services import embedding_models, nearest
from app.services.search_scope import Scope, select_chunks
from tests.search.library import Library

CHUNKS = 1500
DIMENSIONS = 24


def around(random_: random.Random, centre: list[float]) -> list[float]:
    """A vector near another."""
    return [number + random_.gauss(0, 0.3) for number in centre]


@pytest.fixture
async def model(library: Library) -> EmbeddingModel:
    """A model of the test's own, without vectors."""
    async with transaction(library.sessions) as session:
        return await embedding_models.ensure_model(session, library.project_id, DIMENSIONS)


@pytest.fixture
async def scope(library: Library, model: EmbeddingModel) -> Scope:
    """A store with many chunks in clusters, by that model."""
    random_ = random.Random(7)
    centres = [[random_.gauss(0, 1) for _ in range(DIMENSIONS)] for _ in range(30)]
    vectors = [around(random_, random_.choice(centres)) for _ in range(CHUNKS)]
    store = await library.store()
    for half in (0, 1):
        chosen = vectors[half::2]
        texts = [f"number {number}" for number in range(len(chosen))]
        await library.file(store, *texts, model=model.name, vectors=chosen, attributes={"half": half})
    return Scope(library.project_id, [store])


def vector(seed: int) -> list[float]:
    random_ = random.Random(seed)
    return [random_.gauss(0, 1) for _ in range(DIMENSIONS)]


@pytest.mark.parametrize("filters", [None, {"type": "eq", "key": "half", "value": 1}])
async def test_the_index_finds_what_is_nearest(
    library: Library, scope: Scope, model: EmbeddingModel, filters: dict[str, object] | None
) -> None:
    scope = Scope(scope.project_id, scope.store_ids, filters)
    shares = []
    async with library.sessions() as session:
        await nearest.prepare(session)
        for seed in range(20):
            exact = set(await session.scalars(*nearest.one_by_one(scope, model, vector(seed), 20)))
            found = list(await session.scalars(*nearest.by_index(scope, model, vector(seed), 20)))
            assert len(found) == len(exact) == 20
            shares.append(len(exact.intersection(found)) / 20)
    assert sum(shares) / len(shares) >= 0.98


async def test_one_by_one_is_by_cosine(library: Library, scope: Scope, model: EmbeddingModel) -> None:
    async with library.sessions() as session:
        found = list(await session.scalars(*nearest.one_by_one(scope, model, vector(1), 10)))
        statement = select_chunks(scope.shape, Chunk.id, nearest.similarity(model.dimensions))
        rows = dict((await session.execute(statement, scope.values | {"vector": vector(1)})).all())
    assert found == sorted(rows, key=lambda chunk_id: -rows[chunk_id])[:10]
    assert all(-1 <= cosine <= 1 for cosine in rows.values())


async def test_each_way_has_its_plan(library: Library, scope: Scope, model: EmbeddingModel) -> None:
    index = embedding_models.index_name(model.id)
    async with library.sessions() as session:
        await nearest.prepare(session)
        # Until it is reset, a plan is kept with its costs: so the index shows that it was used.
        used = select(func.pg_stat_get_xact_numscans(text(f"'{index}'::regclass")))
        await session.execute(*nearest.one_by_one(scope, model, vector(1), 20))
        assert await session.scalar(used) == 0
        await session.execute(*nearest.by_index(scope, model, vector(1), 20))
        assert await session.scalar(used) == 1


def test_few_are_compared_and_the_more_there_are_in_all_the_more() -> None:
    assert nearest.most_compared(-1, 100) == nearest.most_compared(1000, 100) == 5_000
    assert 5_000 < nearest.most_compared(100_000, 100) < nearest.most_compared(10_000_000, 100) < 200_000


async def test_several_who_want_a_model_make_it_once(library: Library) -> None:
    async def ensure() -> int:
        async with transaction(library.sessions) as session:
            return (await embedding_models.ensure_model(session, f"{library.project_id}-new", 8)).id

    numbers = await asyncio.gather(*(ensure() for _ in range(4)))
    assert len(set(numbers)) == 1
    async with library.sessions() as session:
        assert await _indexed(session, numbers[0])


async def test_the_same_name_with_other_dimensions_is_another_model(library: Library, model: EmbeddingModel) -> None:
    async with transaction(library.sessions) as session:
        other = await embedding_models.ensure_model(session, model.name, DIMENSIONS + 1)
    assert other.id != model.id


async def test_what_is_too_long_for_an_index_goes_without(library: Library) -> None:
    long = [[1.0, *([0.0] * 4999)], [0.0, 1.0, *([0.0] * 4998)]]
    store = await library.store()
    await library.file(store, "one", "two", model=f"{library.project_id}-long", vectors=long)
    scope = Scope(library.project_id, [store])
    async with library.sessions() as session:
        model = await session.scalar(select(EmbeddingModel).where(EmbeddingModel.dimensions == 5000))
        assert model is not None
        assert not await _indexed(session, model.id)
        (first,) = await session.scalars(*nearest.one_by_one(scope, model, long[1], 1))
        assert await session.scalar(select(Chunk.text).where(Chunk.id == first)) == "two"


async def test_a_vector_of_another_length_is_refused(library: Library, model: EmbeddingModel) -> None:
    with pytest.raises(DBAPIError, match="expected 24 dimensions"):
        await _insert_wrong(library, model)


async def _insert_wrong(library: Library, model: EmbeddingModel) -> None:
    store = await library.store()
    async with transaction(library.sessions) as session:
        await session.execute(
            text(
                "INSERT INTO visible_chunks"
                " (project_id, vector_store_id, file_id, position, text, embedding_model_id, embedding, words)"
                " VALUES (:project, :store, 'file-none', 0, '', :model, '[1,2]', '')"
            ),
            {"project": library.project_id, "store": store, "model": model.id},
        )


async def _indexed(session: AsyncSession, model_id: int) -> bool:
    name = embedding_models.index_name(model_id)
    found = await session.scalar(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": name})
    return bool(found)
