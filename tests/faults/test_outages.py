"""Servers and processes that go away and come back: what clients are told, and that nothing needs a restart."""

import signal
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx2
import psycopg
import pytest
from openai import OpenAI, RateLimitError
from openai.types.beta.threads import Run

from tests.api.test_errors import error_of
from tests.api.test_streaming import events_of
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Turn
from tests.running import Locum, wait_for
from tests.stack import BreakableStack, ServerName

Script = Callable[..., None]


@contextmanager
def stopped(servers: BreakableStack, name: ServerName) -> Iterator[None]:
    """A server is away for the block."""
    servers.stop(name)
    try:
        yield
    finally:
        servers.start(name)


@pytest.fixture
def prepared(client: OpenAI, model: str) -> dict[str, Any]:
    """What a run is made of, as the body of a request."""
    assistant = client.beta.assistants.create(model=model, instructions="Be brief.")
    return {"assistant_id": assistant.id, "thread": {"messages": [{"role": "user", "content": "Hi"}]}}


def polled(client: OpenAI, run: dict[str, Any]) -> Run:
    return client.beta.threads.runs.poll(run["id"], thread_id=run["thread_id"], poll_interval_ms=50)


def answers(http: httpx2.Client) -> bool:
    return http.get("/assistants").status_code == 200


def test_postgres_goes_away_and_comes_back(
    servers: BreakableStack,
    locum: Locum,
    http: httpx2.Client,
    client: OpenAI,
    prepared: dict[str, Any],
    script: Script,
) -> None:
    script(Turn(text="Hello."))
    with stopped(servers, "postgres"):
        for method, path in [("GET", "/assistants"), ("POST", "/threads"), ("GET", "/files/file-x/content")]:
            answer = http.request(method, path)
            assert "database" in error_of(answer, 503)["message"]
            assert answer.headers["retry-after"] == "1"
        assert httpx2.get(f"{locum.origin}/healthz").status_code == 200
        ready = httpx2.get(f"{locum.origin}/readyz")
        assert (ready.status_code, ready.json()["checks"]["database"]["ok"]) == (503, False)
    wait_for(lambda: answers(http), "the API to find the database again", 5)
    run = http.post("/threads/runs", json=prepared).json()
    assert polled(client, run).status == "completed"


def test_a_run_outlives_postgres(
    servers: BreakableStack,
    http: httpx2.Client,
    client: OpenAI,
    prepared: dict[str, Any],
    backend: CompletionBackend,
    model: str,
    script: Script,
) -> None:
    script(Turn(text=["Good ", "day"], hang_after=1), Turn(text="Good day."), repeat=True)
    run = http.post("/threads/runs", json=prepared).json()
    wait_for(lambda: backend.received(model), "the model to be asked")
    with stopped(servers, "postgres"):
        backend.release(model)
    wait_for(lambda: answers(http), "the API to find the database again", 5)
    wait_for(lambda: polled(client, run).status == "completed", "the run", 30)
    (message, _) = client.beta.threads.messages.list(run["thread_id"]).data
    assert message.run_id == run["id"]


def test_a_stream_outlives_postgres(
    servers: BreakableStack,
    locum: Locum,
    http: httpx2.Client,
    prepared: dict[str, Any],
    backend: CompletionBackend,
    model: str,
    script: Script,
) -> None:
    script(Turn(text=["Good ", "day"], hang_after=2), Turn(text="Good day."), repeat=True)
    with http.stream("POST", "/threads/runs", json={**prepared, "stream": True}) as stream:
        events = events_of(stream)
        for event in events:
            if event.name == "thread.message.delta":
                break
        with stopped(servers, "postgres"):
            wait_for(lambda: b"rows_away" in (locum.logs / "api.log").read_bytes(), "the reader to ask for the rows")
            backend.release(model)
        assert [event.name for event in events][-2:] == ["thread.run.completed", "done"]


def test_redis_goes_away_and_comes_back(
    servers: BreakableStack,
    locum: Locum,
    http: httpx2.Client,
    client: OpenAI,
    prepared: dict[str, Any],
    script: Script,
) -> None:
    script(Turn(text="Hello."), repeat=True)
    with stopped(servers, "valkey"):
        assert http.post("/threads").status_code == 200
        accepted = http.post("/threads/runs", json=prepared)
        assert accepted.status_code == 200
        ready = httpx2.get(f"{locum.origin}/readyz")
        assert (ready.status_code, ready.json()["checks"]["redis"]["ok"]) == (503, False)
    wait_for(lambda: polled(client, accepted.json()).status == "completed", "the run that was accepted", 30)
    with http.stream("POST", "/threads/runs", json={**prepared, "stream": True}) as stream:
        assert [event.name for event in events_of(stream)][-2:] == ["thread.run.completed", "done"]


def test_redis_that_does_not_answer_keeps_nobody_waiting(
    servers: BreakableStack, http: httpx2.Client, client: OpenAI, prepared: dict[str, Any], script: Script
) -> None:
    script(Turn(text="Hello."), repeat=True)
    with servers.frozen("valkey"):
        assert http.post("/threads", timeout=3).status_code == 200
        # Two signals, each given up after two seconds.
        accepted = http.post("/threads/runs", json=prepared, timeout=10)
        assert accepted.status_code == 200
    assert polled(client, accepted.json()).status == "completed"


def test_the_api_is_killed_between_commit_and_answer(
    servers: BreakableStack,
    locum: Locum,
    http: httpx2.Client,
    client: OpenAI,
    prepared: dict[str, Any],
    script: Script,
    database: psycopg.Connection,
) -> None:
    script(Turn(text="Hello."), repeat=True)
    key = {"Idempotency-Key": uuid.uuid4().hex}
    made = "SELECT run_body.id FROM runs AS run_body WHERE assistant_id = %s"

    def runs() -> list[str]:
        return [row[0] for row in database.execute(made, [prepared["assistant_id"]])]

    # What comes after the commit is told to Redis, and waits for it.
    with servers.frozen("valkey"), ThreadPoolExecutor() as pool:
        unanswered = pool.submit(http.post, "/threads/runs", json=prepared, headers=key)
        (run_id,) = wait_for(runs, "the commit")
        assert not unanswered.done()
        locum.stop("api", signal.SIGKILL)
        with pytest.raises(httpx2.TransportError):
            unanswered.result()
    locum.start("api", "api")
    locum.wait_until_ready()
    retried = http.post("/threads/runs", json=prepared, headers=key)
    assert (retried.status_code, retried.json()["id"]) == (200, run_id)
    assert retried.headers["idempotent-replayed"] == "true"
    assert polled(client, retried.json()).status == "completed"
    assert runs() == [run_id]


def test_the_api_is_killed_before_the_commit(
    locum: Locum, http: httpx2.Client, client: OpenAI, database: psycopg.Connection
) -> None:
    thread = client.beta.threads.create()
    key = {"Idempotency-Key": uuid.uuid4().hex}
    path, body = f"/threads/{thread.id}/messages", {"role": "user", "content": "Once"}
    waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with ThreadPoolExecutor() as pool:
        with psycopg.connect(locum.database_url) as holder:
            holder.execute("SELECT 1 FROM threads WHERE id = %s FOR UPDATE", [thread.id])
            unanswered = pool.submit(http.post, path, json=body, headers=key)
            ((pid,),) = wait_for(lambda: database.execute(waiting).fetchall(), "the request to wait")
            locum.stop("api", signal.SIGKILL)
        with pytest.raises(httpx2.TransportError):
            unanswered.result()
    gone = "SELECT 1 FROM pg_stat_activity WHERE pid = %s"
    wait_for(lambda: not database.execute(gone, [pid]).fetchall(), "the transaction to be given up")
    locum.start("api", "api")
    locum.wait_until_ready()
    made = [http.post(path, json=body, headers=key).json()["id"] for _ in range(2)]
    assert made[0] == made[1]
    assert [message.id for message in client.beta.threads.messages.list(thread.id)] == made[:1]


def test_too_many_queued_runs(locum: Locum, client: OpenAI, prepared: dict[str, Any], script: Script) -> None:
    script(Turn(text="Hello."), repeat=True)
    locum.stop("worker")
    try:
        runs = [client.beta.threads.create_and_run(**prepared) for _ in range(3)]
        with pytest.raises(RateLimitError, match="This project has 3 queued runs") as caught:
            client.beta.threads.create_and_run(**prepared)
        assert caught.value.code == "rate_limit_exceeded"
        assert caught.value.response.headers["retry-after"] == "2"
        with locum.client(locum.new_project()) as other:
            assistant = other.beta.assistants.create(model=prepared["assistant_id"], instructions="x")
            run = other.beta.threads.create_and_run(assistant_id=assistant.id)
            other.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
    finally:
        locum.start("worker", "worker")
    for run in runs:
        assert client.beta.threads.runs.poll(run.id, thread_id=run.thread_id).status == "completed"
    assert client.beta.threads.create_and_run(**prepared).status == "queued"
