"""A POST that comes again under its `Idempotency-Key` is answered as before, and makes nothing."""

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx2
import psycopg
import pytest
from openai import BadRequestError, OpenAI

from app import idempotency
from app.db.session import create_engine, create_sessions, transaction
from app.main import create_app
from app.services.idempotency import drop_old
from tests.api.test_errors import error_of, settings_of, started
from tests.api.test_streaming import events_of
from tests.fakes.turns import Call, Turn
from tests.running import Locum, wait_for

Script = Callable[..., None]


@pytest.fixture
def key() -> dict[str, str]:
    """The header with a key of the test's own."""
    return {"Idempotency-Key": uuid.uuid4().hex}


def ok(answer: httpx2.Response) -> Any:
    """The object that a request was answered with."""
    assert answer.status_code == 200, answer.text
    return answer.json()


def thread_with_message(http: httpx2.Client) -> str:
    thread = ok(http.post("/threads", json={"messages": [{"role": "user", "content": "Hi"}]}))
    return str(thread["id"])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/assistants", {"model": "m"}),
        ("/threads", {}),
        ("/threads", None),
        ("/threads/{thread}", {"metadata": {"a": "b"}}),
        ("/threads/{thread}/messages", {"role": "user", "content": "Hello"}),
        ("/vector_stores", {"name": "mine"}),
        ("/uploads", {"filename": "a.txt", "purpose": "assistants", "bytes": 1, "mime_type": "text/plain"}),
    ],
)
def test_the_first_answer_is_given_again(http: httpx2.Client, key: dict[str, str], path: str, body: Any) -> None:
    path = path.format(thread=thread_with_message(http))
    first, *others = (http.post(path, json=body, headers=key) for _ in range(3))
    assert "idempotent-replayed" not in first.headers
    for other in others:
        assert (other.status_code, other.content) == (200, first.content)
        assert other.headers["content-type"] == first.headers["content-type"]
        assert other.headers["idempotent-replayed"] == "true"
        assert other.headers["x-request-id"] != first.headers["x-request-id"]
    assert http.post(path, json=body).content != first.content or path.endswith(f"/{ok(first)['id']}")


def test_nothing_is_made_twice(client: OpenAI, http: httpx2.Client, key: dict[str, str]) -> None:
    thread = thread_with_message(http)
    for _ in range(3):
        client.beta.threads.messages.create(thread, role="user", content="Once", extra_headers=key)
    assert len(client.beta.threads.messages.list(thread).data) == 2


def test_the_answer_is_the_first_one_even_if_the_object_has_changed(http: httpx2.Client, key: dict[str, str]) -> None:
    first = ok(http.post("/assistants", json={"model": "m"}, headers=key))
    http.delete(f"/assistants/{first['id']}")
    assert ok(http.post("/assistants", json={"model": "m"}, headers=key)) == first


def test_runs_and_what_is_done_to_them(
    client: OpenAI, http: httpx2.Client, model: str, script: Script, key: dict[str, str]
) -> None:
    script(Turn(tool_calls=[Call("get_time")]), Turn(text="Noon."))
    tools = [{"type": "function", "function": {"name": "get_time"}}]
    assistant = ok(http.post("/assistants", json={"model": model, "tools": tools}))
    path = f"/threads/{thread_with_message(http)}/runs"
    first, again = (ok(http.post(path, json={"assistant_id": assistant["id"]}, headers=key)) for _ in range(2))
    assert first == again
    path = f"{path}/{first['id']}"
    wait_for(lambda: ok(http.get(path))["status"] == "requires_action", "the call")
    calls = ok(http.get(path))["required_action"]["submit_tool_outputs"]["tool_calls"]
    body = {"tool_outputs": [{"tool_call_id": call["id"], "output": "12"} for call in calls]}
    submitting = {"Idempotency-Key": key["Idempotency-Key"] + "-2"}
    first, again = (ok(http.post(f"{path}/submit_tool_outputs", json=body, headers=submitting)) for _ in range(2))
    assert first == again
    assert first["status"] == "queued"
    wait_for(lambda: ok(http.get(path))["status"] == "completed", "the run")
    assert error_of(http.post(f"{path}/submit_tool_outputs", json=body), 400)


def test_cancelling_twice(http: httpx2.Client, model: str, script: Script, key: dict[str, str]) -> None:
    script(Turn(text="x", hang_after=1))
    assistant = ok(http.post("/assistants", json={"model": model}))
    run = ok(http.post(f"/threads/{thread_with_message(http)}/runs", json={"assistant_id": assistant["id"]}))
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    first = ok(http.post(f"{path}/cancel", headers=key))
    wait_for(lambda: ok(http.get(path))["status"] == "cancelled", "the run to be cancelled")
    assert ok(http.post(f"{path}/cancel", headers=key)) == first
    assert "Cannot cancel run" in error_of(http.post(f"{path}/cancel"), 400)["message"]


@pytest.mark.parametrize("path", ["/threads/runs", "/threads/{thread}/runs"])
def test_a_stream_is_told_again_from_its_start(
    http: httpx2.Client, model: str, script: Script, key: dict[str, str], path: str
) -> None:
    script(Turn(text=["Good ", "day", "!"]), repeat=True)
    body = {
        "assistant_id": ok(http.post("/assistants", json={"model": model, "instructions": "x"}))["id"],
        "stream": True,
    }
    path = path.format(thread=thread_with_message(http))

    def told() -> list[Any]:
        with http.stream("POST", path, json=body, headers=key) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
            return list(events_of(answer))

    first, again = told(), told()
    assert [event.name for event in first][-2:] == ["thread.run.completed", "done"]
    assert again == first
    with http.stream("POST", path, json=body, headers=key) as cut:
        assert cut.headers["idempotent-replayed"] == "true"
    if path != "/threads/runs":
        assert len(ok(http.get(path))["data"]) == 1


def test_a_stream_is_joined_while_the_run_goes_on(
    http: httpx2.Client, model: str, script: Script, key: dict[str, str]
) -> None:
    script(Turn(text=["Good ", "day"], hang_after=1))
    body = {
        "assistant_id": ok(http.post("/assistants", json={"model": model, "instructions": "x"}))["id"],
        "stream": True,
    }
    with http.stream("POST", "/threads/runs", json=body, headers=key) as one:
        first = next(events_of(one))
        with http.stream("POST", "/threads/runs", json=body, headers=key) as other:
            assert next(events_of(other)) == first
    thread = first.json()["id"]
    (run,) = ok(http.get(f"/threads/{thread}/runs"))["data"]
    http.post(f"/threads/{thread}/runs/{run['id']}/cancel")


@pytest.mark.parametrize(
    ("path", "body"),
    [("/assistants", {"model": "other"}), ("/threads", {"model": "m"}), ("/assistants?x=1", {"model": "m"})],
)
def test_another_request_under_the_same_key(http: httpx2.Client, key: dict[str, str], path: str, body: Any) -> None:
    assert ok(http.post("/assistants", json={"model": "m"}, headers=key))
    error = error_of(http.post(path, json=body, headers=key), 400)
    assert (error["param"], error["code"]) == ("Idempotency-Key", "idempotency_key_reused")
    assert key["Idempotency-Key"] in error["message"]


def test_projects_do_not_share_keys(client: OpenAI, other_client: OpenAI, key: dict[str, str]) -> None:
    mine, others = (each.beta.assistants.create(model="m", extra_headers=key) for each in (client, other_client))
    assert mine.id != others.id


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "ü"])
def test_keys_that_are_none(http: httpx2.Client, key: str) -> None:
    answer = http.post("/threads", headers=[(b"idempotency-key", key.encode("latin-1"))])
    error = error_of(answer, 400)
    assert (error["param"], error["code"]) == ("Idempotency-Key", "invalid_value")


def test_an_error_is_not_kept(client: OpenAI, key: dict[str, str], model: str, script: Script) -> None:
    script(Turn(text="Hi"))
    assistant = client.beta.assistants.create(model=model)
    thread = client.beta.threads.create()
    for _ in range(2):
        with pytest.raises(BadRequestError, match="Run creation requires"):
            client.beta.threads.runs.create(thread.id, assistant_id=assistant.id, extra_headers=key)
    client.beta.threads.messages.create(thread.id, role="user", content="Hi")
    run = client.beta.threads.runs.create(thread.id, assistant_id=assistant.id, extra_headers=key)
    assert client.beta.threads.runs.create(thread.id, assistant_id=assistant.id, extra_headers=key).id == run.id
    assert client.beta.threads.runs.poll(run.id, thread_id=thread.id).status == "completed"


def test_reading_takes_no_key(http: httpx2.Client, key: dict[str, str]) -> None:
    thread = thread_with_message(http)
    assert len(ok(http.get(f"/threads/{thread}/messages", headers=key))["data"]) == 1
    http.post(f"/threads/{thread}/messages", json={"role": "user", "content": "Hi"}, headers=key)
    assert len(ok(http.get(f"/threads/{thread}/messages", headers=key))["data"]) == 2


@contextmanager
def held(locum: Locum, thread_id: str) -> Iterator[psycopg.Connection]:
    """Keeps others off a thread for the block."""
    with psycopg.connect(locum.database_url) as holder:
        holder.execute("SELECT 1 FROM threads WHERE id = %s FOR UPDATE", [thread_id])
        yield holder


def some_waiting(database: psycopg.Connection, count: int) -> bool:
    return len(waiting(database)) == count


def waiting(database: psycopg.Connection) -> list[int]:
    """The processes of the database that wait for a lock, in the order in which they began to."""
    query = (
        "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        " ORDER BY query_start"
    )
    return [pid for (pid,) in database.execute(query)]


def two_at_once(
    http: httpx2.Client, pool: ThreadPoolExecutor, database: psycopg.Connection, thread: str, key: dict[str, str]
) -> list[Future[httpx2.Response]]:
    """The same request twice: the first waits for the thread, the second for the first."""
    path, body = f"/threads/{thread}/messages", {"role": "user", "content": "Hello"}
    sent = []
    for number in (1, 2):
        sent.append(pool.submit(http.post, path, json=body, headers=key))
        wait_for(partial(some_waiting, database, number), "the request to wait")
    return sent


def test_a_request_waits_for_the_first(
    locum: Locum, http: httpx2.Client, database: psycopg.Connection, key: dict[str, str]
) -> None:
    thread = thread_with_message(http)
    with ThreadPoolExecutor() as pool:
        with held(locum, thread):
            sent = two_at_once(http, pool, database, thread, key)
            assert not any(request.done() for request in sent)
        first, second = (ok(request.result()) for request in sent)
    assert first == second
    assert len(ok(http.get(f"/threads/{thread}/messages"))["data"]) == 2


def test_a_request_is_executed_when_the_first_one_fails(
    locum: Locum, http: httpx2.Client, database: psycopg.Connection, key: dict[str, str]
) -> None:
    thread = thread_with_message(http)
    with ThreadPoolExecutor() as pool:
        with held(locum, thread):
            sent = two_at_once(http, pool, database, thread, key)
            database.execute("SELECT pg_terminate_backend(%s, 5000)", waiting(database)[:1])
        answers = [request.result() for request in sent]
    assert error_of(answers[0], 503)
    assert ok(answers[1])["content"][0]["text"]["value"] == "Hello"
    assert "idempotent-replayed" not in answers[1].headers
    assert len(ok(http.get(f"/threads/{thread}/messages"))["data"]) == 2


def test_many_at_once_make_one(locum: Locum, client: OpenAI, key: dict[str, str]) -> None:
    with ThreadPoolExecutor(12) as pool:
        made = pool.map(lambda _: client.beta.threads.create(extra_headers=key).id, range(48))
        assert len(set(made)) == 1


async def test_nobody_waits_for_ever(
    locum: Locum, http: httpx2.Client, key: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "_PATIENCE", 0.2)
    query = "INSERT INTO idempotency_keys (project_id, key, fingerprint, created_at) SELECT project_id, %s, '', now()"
    of_mine = " FROM api_keys WHERE sha256 = sha256(%s)"
    with psycopg.connect(locum.database_url) as first:
        first.execute(query + of_mine, [key["Idempotency-Key"], locum.api_key.encode()])
        async with started(create_app(settings_of(locum, database_pool_size=1, sweep_seconds=3600))) as client:
            client.headers["Authorization"] = f"Bearer {locum.api_key}"
            answer = await client.post("/threads", headers=key)
            assert "still under way" in error_of(answer, 503)["message"]
            assert answer.headers["retry-after"] == "1"
            first.rollback()
            assert (await client.post("/threads", headers=key)).status_code == 200


async def test_keys_are_forgotten_after_a_day(
    locum: Locum, http: httpx2.Client, database: psycopg.Connection, key: dict[str, str]
) -> None:
    young = {"Idempotency-Key": uuid.uuid4().hex}
    old, kept = (ok(http.post("/threads", headers=headers)) for headers in (key, young))
    aging = "UPDATE idempotency_keys SET created_at = now() - interval '24 hours 1 second' WHERE key = %s"
    database.execute(aging, [key["Idempotency-Key"]])
    engine = create_engine(settings_of(locum))
    async with transaction(create_sessions(engine).of_all()) as session:
        assert await drop_old(session) >= 1
    await engine.dispose()
    assert ok(http.post("/threads", headers=young)) == kept
    assert ok(http.post("/threads", headers=key)) != old
