"""`/vector_stores/{id}/search`."""

from fastapi import APIRouter

from app.db.session import autocommit
from app.deps import EmbedderDep, KnownProjectDep, SessionsDep, SettingsDep, VectorStoreId
from app.json_body import JsonRoute
from app.schemas.vector_search import SearchRanking, SearchResultsPage, VectorStoreSearch
from app.services import vector_search, vector_stores

router = APIRouter(prefix="/vector_stores", tags=["Vector stores"], route_class=JsonRoute)


@router.post("/{vector_store_id}/search")
async def search_vector_store(
    vector_store_id: VectorStoreId,
    body: VectorStoreSearch,
    project: KnownProjectDep,
    sessions: SessionsDep,
    embedder: EmbedderDep,
    settings: SettingsDep,
) -> SearchResultsPage:
    sessions = sessions.of(project)
    async with autocommit(sessions) as session:
        usable = await vector_stores.require_usable(session, project, [vector_store_id])
        await vector_stores.touch(session, usable)
    ranking = body.ranking_options or SearchRanking()
    hits = await vector_search.search(
        sessions,
        embedder,
        project,
        [vector_store_id],
        body.queries,
        text_search_config=settings.text_search_config,
        limit=body.max_num_results,
        filters=None if body.filters is None else body.filters.model_dump(),
        score_threshold=ranking.score_threshold,
        ranker=ranking.ranker,
    )
    return SearchResultsPage.of(body.queries, hits)
