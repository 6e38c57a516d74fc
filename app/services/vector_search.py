"""Search in vector stores: by the meaning of a query, and by its words.

Each query has candidates from two sides: the chunks with the nearest vectors (app.services.nearest), and those that
hold its words (app.services.text_search). Each candidate is then seen from both sides, and ranked
(app.services.ranking). In a small scope every chunk is a candidate.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from sqlalchemy import Select, bindparam, null, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.backends.base import BackendFailure
from app.backends.embeddings import Embedder, Vector
from app.db.base import Json
from app.db.session import Sessions, autocommit, be_patient, transaction
from app.models import Chunk, EmbeddingModel, File, VectorStoreFile
from app.services import calibration, nearest, ranking, text_search
from app.services.calibration import Calibration
from app.services.ranking import Candidate, Ranked, Ranker
from app.services.search_scope import Scope, Shape, Size, built_once, one_of, select_chunks, select_files
from app.services.text_search import Terms

#: Candidates from one side.
_CANDIDATES: Final = 100

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Hit:
    """A chunk that was found. `position` counts the chunks of its file from 0, `page` from 1."""

    file_id: str
    filename: str
    vector_store_id: str
    attributes: Json
    text: str
    score: float
    position: int
    page: int | None


@dataclass(frozen=True, slots=True)
class _Meaning:
    """A query's vector by one model, None if it could not be had."""

    model: EmbeddingModel
    vector: Vector | None
    calibration: Calibration | None = None

    def nearness(self, cosine: float | None) -> float | None:
        """What a cosine with the vector is worth."""
        return None if cosine is None or self.calibration is None else self.calibration.nearness(cosine)


@dataclass(frozen=True, slots=True)
class _Words:
    """A query's terms, and the chunks that match them best; none of these where all chunks are looked at anyway."""

    terms: Terms
    matching: Sequence[int]


async def search(
    sessions: Sessions,
    embedder: Embedder,
    project_id: str,
    store_ids: Sequence[str],
    queries: Sequence[str],
    *,
    text_search_config: str,
    limit: int,
    filters: Json | None = None,
    score_threshold: float = 0.0,
    ranker: Ranker = "auto",
) -> list[Hit]:
    """The chunks in these stores that fit one of the `queries` best, the best first, with scores from 0 to 1.

    `filters` are valid by app.schemas.vector_search. Chunks whose model the embeddings server does not have, now or any
    more, are found by their words alone. No connection is held until the queries are embedded.
    """
    scope = Scope(project_id, tuple(store_ids), filters)
    async with autocommit(sessions) as session:
        models = await _models(session, scope)
    # What has nothing to do with vectors is asked while they are on their way.
    meanings, (size, worded) = await asyncio.gather(
        _meanings(embedder, models, queries), _words(sessions, scope, queries, text_search_config)
    )
    async with transaction(sessions) as session:
        await be_patient(session)
        await nearest.prepare(session)
        found = [
            await _candidates(session, scope, size, of_query, words)
            for of_query, words in zip(meanings, worded, strict=True)
        ]
        best = [ranked for ranked in ranking.rank(found, ranker) if ranked.score >= score_threshold]
        return await _hits(session, scope, best[:limit])


async def _models(session: AsyncSession, scope: Scope) -> Sequence[EmbeddingModel]:
    """The models that files in scope have vectors by."""
    return (await session.scalars(_select_models(scope.shape), scope.values)).all()


@built_once
def _select_models(shape: Shape) -> Select[Any]:
    has_files = select_files(shape).where(VectorStoreFile.embedding_model_id == EmbeddingModel.id).exists()
    return select(EmbeddingModel).where(has_files)


async def _meanings(
    embedder: Embedder, models: Sequence[EmbeddingModel], queries: Sequence[str]
) -> list[list[_Meaning]]:
    """For each query what it means to each model."""
    by_model = await asyncio.gather(*(_meanings_by(embedder, model, queries) for model in models))
    return [[of_model[number] for of_model in by_model] for number in range(len(queries))]


async def _meanings_by(embedder: Embedder, model: EmbeddingModel, queries: Sequence[str]) -> list[_Meaning]:
    try:
        vectors, calibrated = await calibration.embed(embedder, model.name, queries)
    except BackendFailure as failure:
        _log.warning("search_without_vectors", model=model.name, why=failure.message)
        return [_Meaning(model, None)] * len(queries)
    if len(vectors[0]) != model.dimensions:
        _log.warning(
            "search_without_vectors", model=model.name, why=f"its vectors now have {len(vectors[0])} dimensions"
        )
        return [_Meaning(model, None)] * len(queries)
    return [_Meaning(model, vector, calibrated) for vector in vectors]


async def _words(sessions: Sessions, scope: Scope, queries: Sequence[str], config: str) -> tuple[Size, list[_Words]]:
    """How much there is to search, and for each query its terms with the chunks that match them best."""
    async with transaction(sessions) as session:
        await be_patient(session)
        size = await nearest.measure(session, scope, _CANDIDATES)
        worded = []
        for query in queries:
            terms = await text_search.find_terms(session, scope, size, query, config)
            search_all = size.few or not terms
            matching = () if search_all else await session.scalars(*text_search.best(scope, terms, _CANDIDATES))
            worded.append(_Words(terms, tuple(matching)))
    return size, worded


async def _candidates(
    session: AsyncSession, scope: Scope, size: Size, meanings: Sequence[_Meaning], words: _Words
) -> list[Candidate]:
    """What one query may find, seen from both sides."""
    chosen: list[int] | None = None
    if not size.few:
        chosen = list(words.matching)
        for meaning in meanings:
            if meaning.vector is not None:
                chosen += await nearest.find(session, scope, size, meaning.model, meaning.vector, _CANDIDATES)
    return [
        candidate
        for meaning in meanings
        for candidate in await _seen_from_both_sides(session, scope, chosen, meaning, words.terms)
    ]


async def _seen_from_both_sides(
    session: AsyncSession, scope: Scope, chosen: Sequence[int] | None, meaning: _Meaning, terms: Terms
) -> list[Candidate]:
    """The chosen chunks of one model (None: all in scope) as candidates."""
    values = scope.values | {"model_id": meaning.model.id}
    if meaning.vector is not None:
        values["vector"] = meaning.vector
    if chosen is not None:
        values["chosen"] = list(chosen)
    if terms:
        values |= text_search.score_values(terms)
    dimensions = None if meaning.vector is None else meaning.model.dimensions
    statement = _select_candidates(scope.shape, dimensions, chosen=chosen is not None, worded=bool(terms))
    return [
        Candidate(chunk_id, file_id, position, meaning.nearness(cosine), words)
        for chunk_id, file_id, position, cosine, words in await session.execute(statement, values)
    ]


@built_once
def _select_candidates(shape: Shape, dimensions: int | None, *, chosen: bool, worded: bool) -> Select[Any]:
    """Selects the chunks of a model, those chosen or all, with their cosines and scores as far as there are any."""
    cosine = null() if dimensions is None else nearest.similarity(dimensions)
    columns = (Chunk.id, Chunk.file_id, Chunk.position, cosine.label("cosine"), text_search.words_in_memory())
    of_model = select_chunks(shape, *columns).where(Chunk.embedding_model_id == bindparam("model_id"))
    if chosen:
        of_model = of_model.where(one_of(Chunk.id, "chosen"))
    # Without the offset, which drops nothing, the words would be unpacked for each term.
    chunk = of_model.offset(0).subquery().c
    words = text_search.score(chunk.words) if worded else null()
    return select(chunk.id, chunk.file_id, chunk.position, chunk.cosine, words)


async def _hits(session: AsyncSession, scope: Scope, best: Sequence[Ranked]) -> list[Hit]:
    values = scope.values | {"found": [ranked.chunk_id for ranked in best]}
    rows = await session.execute(_select_hits(scope.shape), values)
    found = {row.id: row for row in rows}
    return [
        Hit(
            file_id=row.file_id,
            filename=row.filename,
            vector_store_id=row.vector_store_id,
            attributes=row.attributes,
            text=row.text,
            score=ranked.score,
            position=row.position,
            page=row.page,
        )
        for ranked in best
        if (row := found.get(ranked.chunk_id)) is not None
    ]


@built_once
def _select_hits(shape: Shape) -> Select[Any]:
    columns = (
        Chunk.vector_store_id,
        Chunk.text,
        Chunk.position,
        Chunk.page,
        Chunk.file_id,
        File.filename,
        VectorStoreFile.attributes,
    )
    statement = select_chunks(shape, Chunk.id, *columns).join(File, File.id == Chunk.file_id)
    return statement.where(one_of(Chunk.id, "found"))
