"""Search in vector stores, through the official client."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import psycopg
import pytest
from openai import AsyncOpenAI, AuthenticationError, BadRequestError, NotFoundError, OpenAI

from app.db.base import now
from app.db.session import create_engine, create_sessions
from app.settings import Settings
from tests.fakes.completion_backend import CompletionBackend, Turn
from tests.fakes.embeddings import embedding
from tests.running import Locum
from tests.search.library import Library

BREAD = "Bread dough rises for an hour in a warm place before it is baked."
RENT = "Rent is due on the third day of each month, or the landlord sends a reminder."
ERROR = "When the disk is full the server stops with ERR_4012 and writes nothing more."


@pytest.fixture
async def library(locum: Locum) -> AsyncIterator[Library]:
    """What is in the vector stores of the clients' project."""
    engine = create_engine(Settings(database_url=locum.database_url, database_pool_size=2))
    yield await Library.of_key(create_sessions(engine), locum.api_key)
    await engine.dispose()


def _many(kinds: list[str], value: Any) -> Any:
    """A filter of comparisons of these kinds with one value."""
    return {"type": "or", "filters": [{"type": kind, "key": "year", "value": value} for kind in kinds]}


def texts(page: Any) -> list[str]:
    """The texts of what was found."""
    return [part.text for result in page.data for part in result.content]


async def test_what_is_asked_for_comes_first(aclient: AsyncOpenAI, library: Library) -> None:
    store = await library.store(RENT, BREAD, ERROR)
    found = await aclient.vector_stores.search(store, query="How long does bread dough rise before it is baked?")
    assert texts(found)[0] == BREAD
    scores = [result.score for result in found.data]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert scores[0] > 0.5 > scores[1]


async def test_the_answer_has_the_fields_of_the_contract(http: httpx2.Client, library: Library) -> None:
    store = await library.store()
    attributes = {"year": 2024, "draft": False, "by": "Berit", "share": 0.25}
    file = await library.file(store, BREAD, filename="brød.md", attributes=attributes)
    answer = http.post(f"/vector_stores/{store}/search", json={"query": "bread", "rewrite_query": True}).json()
    score = answer["data"][0].pop("score")
    assert 0 < score < 1
    assert answer == {
        "object": "vector_store.search_results.page",
        "search_query": ["bread"],
        "data": [
            {
                "file_id": file,
                "filename": "brød.md",
                "attributes": attributes,
                "content": [{"type": "text", "text": BREAD}],
            }
        ],
        "has_more": False,
        "next_page": None,
    }


async def test_several_queries_find_each_chunk_once(http: httpx2.Client, library: Library) -> None:
    store = await library.store(RENT, BREAD, ERROR)
    queries = ["When is the rent due each month?", "bread dough rises in a warm place", "rent"]
    answer = http.post(f"/vector_stores/{store}/search", json={"query": queries}).json()
    assert answer["search_query"] == queries
    found = [result["content"][0]["text"] for result in answer["data"]]
    assert sorted(found[:2]) == sorted([RENT, BREAD])
    assert sorted(found) == sorted([RENT, BREAD, ERROR])


async def test_results_are_bounded_by_number_and_score(aclient: AsyncOpenAI, library: Library) -> None:
    store = await library.store(*(f"{BREAD} Loaf number {number}." for number in range(60)), RENT)
    assert len((await aclient.vector_stores.search(store, query="bread")).data) == 10
    assert len((await aclient.vector_stores.search(store, query="bread", max_num_results=50)).data) == 50
    best = await aclient.vector_stores.search(store, query="bread", max_num_results=1)
    assert texts(best)[0].startswith(BREAD)
    likely = await aclient.vector_stores.search(
        store, query="When is the rent due?", ranking_options={"score_threshold": 0.5}
    )
    assert texts(likely) == [RENT]
    certain = await aclient.vector_stores.search(store, query="bread", ranking_options={"score_threshold": 1})
    assert certain.data == []


async def test_an_empty_store_has_nothing(aclient: AsyncOpenAI, library: Library) -> None:
    assert (await aclient.vector_stores.search(await library.store(), query="bread")).data == []


async def test_only_what_is_in_the_store_is_found(aclient: AsyncOpenAI, library: Library) -> None:
    await library.store(BREAD)
    store = await library.store(RENT)
    assert texts(await aclient.vector_stores.search(store, query=BREAD)) == [RENT]


@pytest.mark.parametrize("status", ["in_progress", "failed", "cancelled"])
async def test_files_that_are_not_whole_are_not_found(aclient: AsyncOpenAI, library: Library, status: str) -> None:
    store = await library.store(RENT)
    file = await library.file(store, BREAD, status=status)
    assert texts(await aclient.vector_stores.search(store, query=BREAD)) == [RENT]
    await library.set_status(file, "completed")
    assert texts(await aclient.vector_stores.search(store, query=BREAD)) == [BREAD, RENT]


@pytest.mark.parametrize(
    ("filters", "years"),
    [
        ({"type": "eq", "key": "year", "value": 2024}, [2024]),
        ({"type": "ne", "key": "year", "value": 2024}, [2022, 2023, None]),
        ({"type": "gte", "key": "year", "value": 2023}, [2023, 2024]),
        ({"type": "in", "key": "year", "value": [2022, 2024]}, [2022, 2024]),
        ({"type": "eq", "key": "year", "value": "2024"}, []),
        (
            {
                "type": "or",
                "filters": [
                    {"type": "lt", "key": "year", "value": 2023},
                    {
                        "type": "and",
                        "filters": [
                            {"type": "eq", "key": "draft", "value": True},
                            {"type": "gt", "key": "year", "value": 2023.5},
                        ],
                    },
                ],
            },
            [2022, 2024],
        ),
    ],
)
async def test_filters(aclient: AsyncOpenAI, library: Library, filters: Any, years: list[int | None]) -> None:
    store = await library.store()
    for year in (2022, 2023, 2024):
        await library.file(store, f"{BREAD} {year}", attributes={"year": year, "draft": year == 2024})
    await library.file(store, f"{BREAD} None")
    found = texts(await aclient.vector_stores.search(store, query="bread", filters=filters))
    assert sorted(found) == [f"{BREAD} {year}" for year in years]


_DEEP: Any = {"type": "eq", "key": "a", "value": 1}
for _ in range(9):
    _DEEP = {"type": "and", "filters": [_DEEP]}


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({}, "query", "missing_required_parameter"),
        ({"query": 5}, "query", "invalid_type"),
        ({"query": []}, "query", "array_below_min_length"),
        ({"query": ["a", ""]}, "query[1]", "string_below_min_length"),
        ({"query": ["a" * 16_384] * 3}, "query", "invalid_value"),
        ({"query": "a", "filters": _many(["in"] * 2, [0] * 1025)}, "filters", "invalid_value"),
        ({"query": "a", "filters": _many(["eq"] * 257, 0)}, "filters", "invalid_value"),
        ({"query": "a", "filters": _many(["nin"], [0] * 40_000)}, "filters", "invalid_value"),
        ({"query": "a", "max_num_results": 51}, "max_num_results", "integer_above_max_value"),
        ({"query": "a", "max_num_results": 0}, "max_num_results", "integer_below_min_value"),
        ({"query": "a", "ranking_options": {"ranker": "best"}}, "ranking_options.ranker", "invalid_value"),
        (
            {"query": "a", "ranking_options": {"score_threshold": 1.5}},
            "ranking_options.score_threshold",
            "decimal_above_max_value",
        ),
        ({"query": "a", "limit": 5}, "limit", "unknown_parameter"),
        ({"query": "a", "filters": "year = 2024"}, "filters", "invalid_type"),
        ({"query": "a", "filters": {"key": "a", "value": 1}}, "filters.type", "missing_required_parameter"),
        ({"query": "a", "filters": {"type": "like", "key": "a", "value": "b"}}, "filters.type", "invalid_value"),
        ({"query": "a", "filters": {"type": "eq", "value": 1}}, "filters.key", "missing_required_parameter"),
        ({"query": "a", "filters": {"type": "eq", "key": "a", "value": [1]}}, "filters.value", "invalid_type"),
        ({"query": "a", "filters": {"type": "gt", "key": "a", "value": {}}}, "filters.value", "invalid_type"),
        ({"query": "a", "filters": {"type": "in", "key": "a", "value": "b"}}, "filters.value", "invalid_type"),
        ({"query": "a", "filters": {"type": "and", "filters": []}}, "filters.filters", "array_below_min_length"),
        (
            {"query": "a", "filters": {"type": "or", "filters": [{"type": "eq", "key": 1, "value": 1}]}},
            "filters.filters[0].key",
            "invalid_type",
        ),
        ({"query": "a", "filters": _DEEP}, "filters", "invalid_value"),
        (
            {"query": "a", "filters": {"type": "and", "filters": [_DEEP["filters"][0]] * 300}},
            "filters",
            "invalid_value",
        ),
    ],
)
def test_what_is_wrong_is_said(http: httpx2.Client, body: Any, param: str, code: str) -> None:
    answer = http.post("/vector_stores/vs_none/search", json=body)
    assert answer.status_code == 400
    assert (answer.json()["error"]["param"], answer.json()["error"]["code"]) == (param, code)


async def test_stores_that_are_not_there(aclient: AsyncOpenAI, other_client: OpenAI, library: Library) -> None:
    store = await library.store(BREAD)
    with pytest.raises(NotFoundError) as of_another:
        other_client.vector_stores.search(store, query="bread")
    with pytest.raises(NotFoundError) as unknown:
        await aclient.vector_stores.search("vs_unknown", query="bread")
    assert of_another.value.message == unknown.value.message.replace("vs_unknown", store)
    with pytest.raises(BadRequestError) as wrong:
        await aclient.vector_stores.search("store-1", query="bread")
    assert wrong.value.code == "invalid_value"


async def test_a_key_is_asked_for_before_anything_else(locum: Locum) -> None:
    with locum.client("sk-wrong") as stranger, pytest.raises(AuthenticationError):
        stranger.vector_stores.search("vs_unknown", query="")
    assert httpx2.post(f"{locum.base_url}/vector_stores/vs_1/search", content=b"{").status_code == 401


async def test_no_beta_header_is_asked_for(locum: Locum, library: Library) -> None:
    url = f"{locum.base_url}/vector_stores/{await library.store(BREAD)}/search"
    answer = httpx2.post(url, json={"query": "bread"}, headers={"Authorization": f"Bearer {locum.api_key}"})
    assert answer.status_code == 200


async def test_an_expired_store_is_not_searched(aclient: AsyncOpenAI, library: Library) -> None:
    expiry = {"anchor": "last_active_at", "days": 1}
    store = await library.store(expires_after=expiry, expires_at=now() - timedelta(seconds=5))
    with pytest.raises(BadRequestError, match="has expired"):
        await aclient.vector_stores.search(store, query="bread")


async def test_to_search_is_to_use(aclient: AsyncOpenAI, library: Library, database: psycopg.Connection[Any]) -> None:
    expiry = {"anchor": "last_active_at", "days": 1}
    long_ago, soon = now() - timedelta(hours=23), now() + timedelta(hours=1)
    store = await library.store(BREAD, expires_after=expiry, expires_at=soon, last_active_at=long_ago)
    await aclient.vector_stores.search(store, query="bread")
    columns = "SELECT last_active_at, expires_at FROM vector_stores WHERE id = %s"
    row = database.execute(columns, [store]).fetchone()
    assert row is not None
    used, expires = row
    assert used > now() - timedelta(minutes=1)
    assert expires - used == timedelta(days=1)


async def test_without_further_ranking_places_count_alone(http: httpx2.Client, library: Library) -> None:
    store = await library.store(RENT, BREAD, ERROR)
    body = {"query": "bread dough", "ranking_options": {"ranker": "none"}}
    found = http.post(f"/vector_stores/{store}/search", json=body).json()["data"]
    assert found[0]["content"][0]["text"] == BREAD
    assert found[0]["score"] == 1  # the first by both orders


async def test_old_vectors_whose_model_is_gone(
    aclient: AsyncOpenAI, library: Library, backend: CompletionBackend, model: str
) -> None:
    refusal = {"error": {"message": "no such model", "type": "invalid_request_error", "param": "model", "code": None}}
    backend.script(model, Turn(status=404, body=refusal), repeat=True)
    store = await library.store(RENT)
    await library.file(store, BREAD, ERROR, model=model, vectors=[embedding(BREAD, 96), embedding(ERROR, 96)])
    by_words = await aclient.vector_stores.search(store, query="ERR_4012")
    assert texts(by_words)[0] == ERROR
    assert by_words.data[0].score > 0.5
    assert texts(await aclient.vector_stores.search(store, query="When is the rent due?"))[0] == RENT


async def test_vectors_of_several_models_side_by_side(
    aclient: AsyncOpenAI, library: Library, backend: CompletionBackend, model: str
) -> None:
    store = await library.store(RENT)
    await library.file(store, BREAD, model=model, vectors=[embedding(BREAD)])
    assert texts(await aclient.vector_stores.search(store, query="bread dough rises"))[0] == BREAD
    assert texts(await aclient.vector_stores.search(store, query="rent is due"))[0] == RENT
    assert backend.requests(model)


async def test_as_many_values_as_may_be(aclient: AsyncOpenAI, library: Library) -> None:
    store = await library.store()
    for year in (2022, 2023):
        await library.file(store, f"{BREAD} {year}", attributes={"year": year})
    filters = _many(["in"] * 2, list(range(2023, 2023 + 1024)))
    found = await aclient.vector_stores.search(store, query="bread", filters=filters)
    assert texts(found) == [f"{BREAD} 2023"]
