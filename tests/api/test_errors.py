"""Whatever a client sends, it gets OpenAI's envelope back, and what is wrong in it."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import orjson
import psycopg
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from openai import BadRequestError, NotFoundError, OpenAI
from sqlalchemy import Integer, bindparam, func, literal, select
from sqlalchemy.exc import DataError
from structlog.testing import capture_logs

from app.db.session import create_engine, create_sessions
from app.deps import ProjectDep, SessionDep
from app.main import create_app
from app.schemas.threads import ThreadCreate
from app.services import threads
from app.settings import Settings
from tests.running import Locum, free_port


def error_of(answer: httpx2.Response, status: int) -> dict[str, Any]:
    """The error that `answer` carries, its envelope checked."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert re.fullmatch(r"req_[0-9a-f]{32}", answer.headers["x-request-id"])
    body = answer.json()
    assert list(body) == ["error"]
    assert set(body["error"]) == {"message", "type", "param", "code"}
    error: dict[str, Any] = body["error"]
    assert error["type"] == ("server_error" if status >= 500 else "invalid_request_error")
    return error


def test_every_answer_has_the_headers(http: httpx2.Client) -> None:
    first, second = http.post("/threads"), http.get("/threads/thread_none")
    for answer in (first, second):
        assert re.fullmatch(r"req_[0-9a-f]{32}", answer.headers["x-request-id"])
        assert answer.headers["openai-version"] == "2020-10-01"
        assert answer.headers["openai-processing-ms"].isdigit()
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


def test_the_client_finds_everything_in_its_exception(client: OpenAI) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.beta.assistants.create(model="m", metadata={"modified": True})  # type: ignore[dict-item]
    error = caught.value
    assert (error.status_code, error.type, error.param, error.code) == (
        400,
        "invalid_request_error",
        "metadata.modified",
        "invalid_type",
    )
    assert error.request_id is not None
    with pytest.raises(NotFoundError) as missing:
        client.beta.threads.retrieve("thread_none")
    assert (missing.value.param, missing.value.code) == (None, None)


@pytest.mark.parametrize("path", ["/foo", "/threads/", "/threads/thread_1/messages/msg_1/files", "/assistants/a/b"])
def test_unknown_urls(http: httpx2.Client, path: str) -> None:
    error = error_of(http.get(path), 404)
    assert error["code"] == "unknown_url"
    assert error["message"].startswith(f"Unknown request URL: GET /v1{path}.")


def test_methods_that_a_url_does_not_have(http: httpx2.Client) -> None:
    answer = http.put("/assistants")
    assert "PUT" in error_of(answer, 405)["message"]
    assert set(answer.headers["allow"].split(", ")) <= {"GET", "POST"}


@pytest.mark.parametrize(
    ("path", "param", "prefix"),
    [
        ("/assistants/undefined", "assistant_id", "asst"),
        ("/threads/undefined", "thread_id", "thread"),
        ("/threads/asst_1/messages", "thread_id", "thread"),
        ("/threads/thread_1/messages/null", "message_id", "msg"),
        ("/threads/thread_1/runs/undefined", "run_id", "run"),
        ("/threads/thread_1/runs/run_1/steps/x", "step_id", "step"),
        ("/threads/thread_%00", "thread_id", "thread"),
    ],
)
def test_ids_of_another_kind_are_refused(http: httpx2.Client, path: str, param: str, prefix: str) -> None:
    error = error_of(http.get(path), 400)
    assert error["message"].startswith(f"Invalid '{param}': '")
    assert error["message"].endswith(f"Expected an ID that begins with '{prefix}'.")
    assert (error["param"], error["code"]) == (param, "invalid_value")


@pytest.mark.parametrize(
    "thread_id", ["thread_none", "thread_" + "x" * 5000, "thread_ä😀", "thread_'; DROP TABLE threads"]
)
def test_ids_of_the_right_kind_are_looked_for(http: httpx2.Client, thread_id: str) -> None:
    error = error_of(http.get(f"/threads/{thread_id}"), 404)
    assert error["message"] == f"No thread found with id '{thread_id}'."


@pytest.mark.parametrize(
    "content_type",
    [None, "application/json", "application/json; charset=utf-8", "text/plain", "nonsense", "multipart/form-data"],
)
def test_a_body_is_json_whatever_it_is_called(http: httpx2.Client, content_type: str | None) -> None:
    headers = {"content-type": content_type} if content_type else {}
    answer = http.post("/assistants", content=b'{"model": "m"}', headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"model=m",
        b"\xff\xfe",
        b'{"model": "\\ud800"}',
        b'{"model": NaN}',
        b'{"model": "m", "temperature": 1e999}',
        b"[" * 100_000,
        b'{"model": "m", "metadata": ' + b'{"a":' * 500 + b"1" + b"}" * 501,
    ],
)
def test_bodies_that_are_no_json(http: httpx2.Client, body: bytes) -> None:
    error = error_of(http.post("/assistants", content=body), 400)
    assert (error["param"], error["code"]) == (None, "invalid_json")


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/assistants", {"model": "m", "name": "a\0b"}, "name"),
        ("/assistants", {"model": "m", "metadata": {"a\0": "b"}}, "metadata"),
        (
            "/assistants",
            {"model": "m", "tools": [{"type": "function", "function": {"name": "f", "parameters": {"x": ["\0"]}}}]},
            "tools[0].function.parameters.x[0]",
        ),
        ("/threads", {"messages": [{"role": "user", "content": "a\0"}]}, "messages[0].content"),
    ],
)
def test_the_null_character_is_refused(http: httpx2.Client, path: str, body: Any, param: str) -> None:
    error = error_of(http.post(path, json=body), 400)
    assert (error["param"], error["code"]) == (param, "invalid_value")


def test_numbers_beyond_all_columns_are_kept_or_refused(http: httpx2.Client) -> None:
    parameters = {"type": "object", "maximum": 1e15, "minimum": -(2**63), "multipleOf": 2**64 - 1, "n": 5e-324}
    tools = [{"type": "function", "function": {"name": "f", "parameters": parameters}}]
    made = http.post("/assistants", json={"model": "m", "tools": tools})
    assert made.status_code == 200
    shown = http.get(f"/assistants/{made.json()['id']}").json()
    assert shown["tools"][0]["function"]["parameters"] == parameters
    body = {"assistant_id": made.json()["id"], "max_completion_tokens": 2**63}
    assert error_of(http.post("/threads/runs", json=body), 400)["code"] == "integer_above_max_value"


def test_the_last_of_two_keys_counts(http: httpx2.Client) -> None:
    assert http.post("/assistants", content=b'{"model": "a", "model": "b"}').json()["model"] == "b"


def _encoded(value: Any) -> bytes:
    """JSON as sloppy clients write it: with NaN, and with half of a surrogate pair."""
    return json.dumps(value).encode()


PATHS = [
    *("/assistants", "/assistants/asst_1", "/threads", "/threads/thread_1", "/threads/thread_1/messages"),
    *("/threads/thread_1/messages/msg_1", "/threads/thread_1/runs", "/threads/runs"),
    *("/threads/thread_1/runs/run_1", "/threads/thread_1/runs/run_1/cancel"),
    "/threads/thread_1/runs/run_1/submit_tool_outputs",
]
FIELDS = [
    *("model", "name", "tools", "metadata", "response_format", "role", "content", "messages", "assistant_id"),
    *("tool_choice", "truncation_strategy", "thread", "tool_outputs", "type", "text", "function", "stream"),
]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.sampled_from(FIELDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS) | st.text(), inner, max_size=5),
    max_leaves=15,
)


@examples(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PATHS), values.map(_encoded) | st.binary(max_size=200))
def test_nothing_that_is_sent_breaks_the_server(http: httpx2.Client, path: str, body: bytes) -> None:
    answer = http.post(path, content=body)
    if answer.status_code != 200:
        error_of(answer, answer.status_code)
    assert answer.status_code < 500


# The same application in this process, on parts that are away or broken on purpose.


@asynccontextmanager
async def started(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of `app`, which is started and stopped."""
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app, raise_app_exceptions=False),
            base_url="http://locum.test/v1",
            headers={"OpenAI-Beta": "assistants=v2"},
        ) as client,
    ):
        yield client


def settings_of(locum: Locum, **changes: Any) -> Settings:
    """The settings of the running Locum, changed."""
    names = ("database_url", "redis_url", "backend_url")
    inherited = {name: locum.environment[f"LOCUM_{name.upper()}"] for name in names}
    return Settings(**{**inherited, **changes})


async def test_a_database_that_is_away(locum: Locum) -> None:
    settings = settings_of(locum, database_url=f"postgresql://locum@127.0.0.1:{free_port()}/locum")
    async with started(create_app(settings)) as client:
        with capture_logs() as logs:
            answer = await client.get("/threads/thread_1", headers={"Authorization": f"Bearer {locum.api_key}"})
        assert "database" in error_of(answer, 503)["message"]
        assert answer.headers["retry-after"] == "1"
        assert logs[0]["event"] == "database_away"


async def test_the_unexpected_is_logged_and_not_told(locum: Locum) -> None:
    app = create_app(settings_of(locum))

    @app.get("/v1/broken")
    async def broken() -> None:
        raise RuntimeError("a secret")

    async with started(app) as client:
        with capture_logs() as logs:
            answer = await client.get("/broken")
    error = error_of(answer, 500)
    assert "a secret" not in answer.text
    assert answer.headers["x-request-id"] in error["message"]
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("request_failed", "error"),
        ("request", "info"),
    ]


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_over_the_limit(locum: Locum, announced: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b" " * 1000

    headers = {"Authorization": f"Bearer {locum.api_key}"}
    async with started(create_app(settings_of(locum, max_body_bytes=2000))) as client:
        content = b" " * 3000 if announced else pieces()
        error = error_of(await client.post("/threads", content=content, headers=headers), 413)
        assert "2000 bytes" in error["message"]
        assert (await client.post("/threads", content=b" " * 2000, headers=headers)).status_code == 200


async def test_a_write_that_fails_leaves_nothing_behind(locum: Locum) -> None:
    app = create_app(settings_of(locum))
    made = []

    @app.post("/v1/threads/half/way")  # a path that has a scope
    async def half(session: SessionDep, project: ProjectDep) -> None:
        made.append((await threads.create(session, project, ThreadCreate())).id)
        raise RuntimeError

    async with started(app) as client:
        client.headers["Authorization"] = f"Bearer {locum.api_key}"
        with capture_logs():
            assert (await client.post("/threads/half/way")).status_code == 500
        assert (await client.get(f"/threads/{made[0]}")).status_code == 404


def test_the_description_of_the_api(locum: Locum) -> None:
    document = httpx2.get(f"{locum.origin}/openapi.json").json()
    create = document["paths"]["/v1/assistants"]["post"]
    assert create["requestBody"]["required"] is True
    assert create["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/AssistantCreate")
    assert document["paths"]["/v1/threads"]["post"]["requestBody"].get("required", False) is False
    assert "422" not in orjson.dumps(document["paths"]).decode()
    assert document["components"]["schemas"]["AssistantCreate"]["additionalProperties"] is False
    assert httpx2.get(f"{locum.origin}/docs").status_code == 200


def test_what_was_written_is_read_at_once(client: OpenAI) -> None:
    for number in range(50):
        thread = client.beta.threads.create(metadata={"n": str(number)})
        assert client.beta.threads.retrieve(thread.id) == thread


async def test_connections_that_the_database_has_closed(locum: Locum, database: psycopg.Connection) -> None:
    others = [pid for (pid,) in database.execute("SELECT pid FROM pg_stat_activity")]
    async with started(create_app(settings_of(locum, sweep_seconds=3600))) as client:
        client.headers["Authorization"] = f"Bearer {locum.api_key}"
        assert (await client.get("/assistants")).status_code == 200
        mine = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> ALL(%s)"
        cut = database.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM ({mine}) AS mine", [others])
        assert cut.rowcount > 0
        with capture_logs():
            first = await client.get("/assistants")
        if first.status_code != 200:
            error_of(first, 503)
        assert (await client.get("/assistants")).status_code == 200


@pytest.mark.parametrize("count", [32_768, 1])
async def test_values_that_cannot_be_sent_are_no_outage(locum: Locum, count: int) -> None:
    engine = create_engine(Settings(database_url=locum.database_url, database_pool_size=1))
    values = list(range(count)) if count > 1 else ["not a number"]
    statement = select(func.count()).where(literal(1).in_([bindparam(None, value, Integer) for value in values]))
    try:
        async with create_sessions(engine)() as session:
            with pytest.raises(DataError):
                await session.execute(statement)
            assert await session.scalar(select(literal(1))) == 1
    finally:
        await engine.dispose()
