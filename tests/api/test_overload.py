"""Limits on requests, told in OpenAI's headers, and what a server says that has too much to do."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import psycopg
import pytest
from openai import AsyncOpenAI, RateLimitError
from redis import Redis
from structlog.testing import capture_logs

from app.main import create_app
from app.rate_limits import duration
from tests.api.test_errors import error_of, settings_of, started
from tests.fakes.turns import Turn
from tests.running import Locum, free_port

Script = Callable[..., None]
KeyOf = Callable[[str], str]
HEADERS = [f"x-ratelimit-{what}-requests" for what in ("limit", "remaining", "reset")]


@asynccontextmanager
async def limited(locum: Locum, api_key: str, **settings: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with `api_key` of an application with these settings."""
    async with started(create_app(settings_of(locum, sweep_seconds=3600, **settings))) as client:
        client.headers["Authorization"] = f"Bearer {api_key}"
        yield client


@pytest.fixture
def api_key(locum: Locum) -> str:
    """The key of a project of the test's own."""
    return locum.new_project()


@pytest.fixture
def second_key(api_key: str, database: psycopg.Connection) -> str:
    """A second key of the same project."""
    key = f"{api_key}-second"
    database.execute(
        "INSERT INTO api_keys (id, project_id, name, sha256, hint, created_at)"
        " SELECT id || '2', project_id, name, %s, hint, now() FROM api_keys WHERE sha256 = %s",
        [hashlib.sha256(text.encode()).digest() for text in (key, api_key)],
    )
    return key


@pytest.fixture
def earlier(locum: Locum) -> Callable[[str, float], None]:
    """Has the requests of the project with a key made so many seconds before: `earlier(key, 20)`."""

    def move(api_key: str, seconds: float) -> None:
        with locum.redis() as redis, psycopg.connect(locum.database_url) as database:
            query = "SELECT project_id FROM api_keys WHERE sha256 = sha256(%s)"
            ((project,),) = database.execute(query, [api_key.encode()]).fetchall()
            _move(redis, project, seconds)

    return move


def _move(redis: Redis, project: str, seconds: float) -> None:
    names = list(redis.scan_iter(f"locum:requests:{{{project}}}:*"))
    assert names
    for name in names:
        redis.set(name, float(redis.get(name) or 0) - seconds * 1e6, keepttl=True)


async def test_without_limits_nothing_is_told(locum: Locum, http: httpx2.Client) -> None:
    assert not set(HEADERS) & set(http.get("/assistants").headers)


async def test_one_request_too_many(locum: Locum, api_key: str, earlier: Callable[[str, float], None]) -> None:
    async with limited(locum, api_key, key_requests_per_minute=3) as client:
        answers = [await client.get(path) for path in ("/assistants", "/threads/thread_none", "/models")]
        assert [answer.status_code for answer in answers] == [200, 404, 200]
        assert [answer.headers[HEADERS[0]] for answer in answers] == ["3"] * 3
        assert [answer.headers[HEADERS[1]] for answer in answers] == ["2", "1", "0"]
        refused = await client.get("/assistants")
        assert refused.status_code == 429
        error = refused.json()["error"]
        assert (error["type"], error["param"], error["code"]) == ("requests", None, "rate_limit_exceeded")
        assert error["message"].startswith("Rate limit reached for requests per minute (RPM) of this API key: Limit 3.")
        assert 1 <= int(refused.headers["retry-after"]) <= 20
        assert 0 < int(refused.headers["retry-after-ms"]) <= 20_000
        assert refused.headers[HEADERS[1]] == "0"
        earlier(api_key, 20)
        assert (await client.get("/assistants")).status_code == 200
        earlier(api_key, 3600)
        assert (await client.get("/assistants")).headers[HEADERS[1]] == "2"


async def test_the_client_knows_what_to_do(locum: Locum, api_key: str) -> None:
    async with limited(locum, api_key, key_requests_per_minute=1) as http:
        options: Any = {"base_url": "http://locum.test/v1", "api_key": api_key, "http_client": http}
        async with AsyncOpenAI(max_retries=0, **options) as client:
            await client.beta.threads.create()
            with pytest.raises(RateLimitError) as caught:
                await client.beta.threads.create()
    assert caught.value.code == "rate_limit_exceeded"


async def test_a_key_and_its_project(locum: Locum, api_key: str, second_key: str) -> None:
    async with limited(locum, api_key, key_requests_per_minute=2, project_requests_per_minute=3) as client:
        statuses = []
        for key in (api_key, api_key, api_key, second_key, second_key):
            answer = await client.get("/assistants", headers={"Authorization": f"Bearer {key}"})
            statuses.append(answer.status_code)
        # What the key's own limit refused has not been counted against the project.
        assert statuses == [200, 200, 429, 200, 429]
        assert "this project: Limit 3." in answer.json()["error"]["message"]
        others = {"Authorization": f"Bearer {locum.new_project()}"}
        assert (await client.get("/assistants", headers=others)).headers[HEADERS[1]] == "1"


async def test_at_once(locum: Locum, api_key: str) -> None:
    async with limited(locum, api_key, key_requests_per_minute=5) as client:
        answers = await asyncio.gather(*(client.get("/assistants") for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [429] * 15


async def test_who_has_no_key_is_not_counted(locum: Locum, api_key: str) -> None:
    async with limited(locum, api_key, key_requests_per_minute=1) as client:
        for _ in range(3):
            answer = await client.get("/assistants", headers={"Authorization": "Bearer sk-locum-nobody"})
            assert answer.status_code == 401
        assert (await client.get("/assistants")).status_code == 200


async def test_streams_tell_it_too(locum: Locum, api_key: str, model: str, script: Script) -> None:
    script(Turn(text="Hi"))
    async with limited(locum, api_key, project_requests_per_minute=100) as client:
        made = await client.post("/assistants", json={"model": model, "instructions": "x"})
        body = {"assistant_id": made.json()["id"], "stream": True}
        answer = await client.post("/threads/runs", json=body)
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers[HEADERS[1]] == "98"
        assert answer.text.endswith("data: [DONE]\n\n")


async def test_without_redis_requests_pass(locum: Locum, api_key: str) -> None:
    away = f"redis://127.0.0.1:{free_port()}/0"
    async with limited(locum, api_key, key_requests_per_minute=1, redis_url=away) as client:
        with capture_logs() as logs:
            answers = [await client.get("/assistants") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert not set(HEADERS) & set(answers[0].headers)
    assert [entry["event"] for entry in logs].count("rate_limits_away") == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0ms"), (0.0201, "21ms"), (0.12, "120ms"), (1, "1s"), (1.5, "1.5s"), (59.999, "59.999s"), (360, "6m0s")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


async def test_no_connection_is_free(locum: Locum, http: httpx2.Client, database: psycopg.Connection) -> None:
    thread = http.post("/threads").json()["id"]
    async with limited(locum, locum.api_key, database_pool_size=1, database_pool_timeout=0.2) as client:
        with psycopg.connect(locum.database_url) as holder:
            holder.execute("SELECT 1 FROM threads WHERE id = %s FOR UPDATE", [thread])
            first = asyncio.create_task(client.post(f"/threads/{thread}", json={}))
            refused = await client.get("/assistants")
            while refused.status_code == 200:  # it came before the first
                refused = await client.get("/assistants")
        assert "has too much to do" in error_of(refused, 503)["message"]
        assert refused.headers["retry-after"] == "2"
        assert (await first).status_code == 200
        assert (await client.get("/assistants")).status_code == 200
