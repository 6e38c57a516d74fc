"""Keys end at once, in every process, whether Redis is there or not; what is being answered ends soon after."""

import dataclasses
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from tests.api.test_errors import error_of
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Turn
from tests.running import Locum, free_port, wait_for

#: In which an open answer must have ended; it is looked at every other second.
_SOON = 10.0


@pytest.fixture(scope="module")
def second(locum: Locum, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locum]:
    """Another API process on the same database, whose Redis is away."""
    port = free_port()
    elsewhere = {"LOCUM_PORT": str(port), "LOCUM_REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    logs = tmp_path_factory.mktemp("second")
    other = dataclasses.replace(
        locum, port=port, environment={**locum.environment, **elsewhere}, logs=logs, processes={}
    )
    other.start("api", "api")
    try:
        wait_for(lambda: _is_up(other), "the second API", 30)
        yield other
    finally:
        other.stop("api")


def _is_up(locum: Locum) -> bool:
    try:
        return httpx2.get(f"{locum.origin}/healthz").status_code == 200
    except httpx2.TransportError:
        return False


def _opened(locum: Locum, key: str) -> httpx2.Client:
    return httpx2.Client(base_url=locum.origin, headers={"Authorization": f"Bearer {key}"}, timeout=30)


def _command(locum: Locum, *arguments: str) -> str:
    command = [sys.executable, "-m", "app.cli", *arguments]
    done = subprocess.run(
        command, env=locum.environment, cwd=locum.logs, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _id_of(database: psycopg.Connection, key: str) -> str:
    row = database.execute("SELECT id FROM api_keys WHERE sha256 = sha256(%s)", [key.encode()]).fetchone()
    assert row is not None
    return str(row[0])


def _end_of(locum: Locum, key: str, method: str, path: str, body: Any = None) -> Callable[[], str]:
    """Begins to read a stream; gives a function that waits for its end, and tells what came."""
    began, told = threading.Event(), []

    def read() -> None:
        with _opened(locum, key) as http, http.stream(method, path, json=body) as answer:
            for piece in answer.iter_text():
                told.append(piece)
                began.set()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    assert began.wait(_SOON)

    def end() -> str:
        thread.join(_SOON)
        assert not thread.is_alive(), "the stream goes on"
        return "".join(told)

    return end


def test_a_key_ends_in_every_process_and_so_do_its_streams(
    locum: Locum, second: Locum, database: psycopg.Connection, model: str, script: Any, backend: CompletionBackend
) -> None:
    script(Turn(text=["word "] * 60, delay=0.5), repeat=True)
    key = locum.new_project()
    with _opened(locum, key) as http, _opened(second, key) as other:
        assistant = http.post("/v1/assistants", json={"model": model}).json()["id"]
        thread = {"messages": [{"role": "user", "content": "Hi"}]}
        run = {"assistant_id": assistant, "thread": thread, "stream": True}
        ends = [_end_of(locum, key, "POST", "/v1/threads/runs", run)]
        (running,) = http.get("/v1/runs").json()["data"]
        events = f"/v1/threads/{running['thread_id']}/runs/{running['id']}/events"
        ends.append(_end_of(second, key, "GET", events))
        asked = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "stream": True}
        ends.append(_end_of(locum, key, "POST", "/v1/chat/completions", asked))
        assert other.get("/v1/assistants").status_code == 200
        _command(locum, "keys", "revoke", _id_of(database, key))
        for client in (http, other):
            assert error_of(client.get("/v1/assistants"), 401)["code"] == "invalid_api_key"
        for end in ends:
            told = end()
            assert "event: error" in told
            assert "has been revoked" in told


def test_an_expired_key_is_a_wrong_key(locum: Locum, database: psycopg.Connection) -> None:
    key = locum.new_project()
    with _opened(locum, key) as http:
        for ends, status in (("1 hour", 200), ("-1 second", 401)):
            query = "UPDATE api_keys SET expires_at = now() + %s::interval WHERE sha256 = sha256(%s)"
            database.execute(query, [ends, key.encode()])
            answer = http.get("/v1/assistants")
            assert answer.status_code == status
        assert error_of(answer, 401)["code"] == "invalid_api_key"


def test_a_key_that_is_rotated_works_for_its_grace(locum: Locum, database: psycopg.Connection) -> None:
    key = locum.new_project("threads:read")
    new = _command(locum, "keys", "rotate", _id_of(database, key))
    for each in (key, new):
        with _opened(locum, each) as http:
            assert http.get("/v1/threads").status_code == 200
            error_of(http.get("/v1/files"), 403)
    row = database.execute("SELECT expires_at - now() FROM api_keys WHERE id = %s", [_id_of(database, key)]).fetchone()
    assert row is not None
    assert 23 * 3600 < row[0].total_seconds() <= 24 * 3600
    newest = _command(locum, "keys", "rotate", _id_of(database, new), "--grace", "0")
    for each, status in ((new, 401), (newest, 200)):
        with _opened(locum, each) as http:
            assert http.get("/v1/threads").status_code == status


def test_the_last_use_of_a_key_is_noted_once_a_minute(locum: Locum, database: psycopg.Connection) -> None:
    key = locum.new_project()
    query = "SELECT last_used_at, xmin::text FROM api_keys WHERE sha256 = sha256(%s)"

    def noted() -> Any:
        row = database.execute(query, [key.encode()]).fetchone()
        assert row is not None
        return row if row[0] is not None else None

    assert noted() is None
    with _opened(locum, key) as http:
        http.get("/v1/assistants")
        first = wait_for(noted, "the first use", 15)
        # Another key is written after these uses: by then they would have been, too.
        for _ in range(3):
            http.get("/v1/assistants")
        other = locum.new_project()
        with _opened(locum, other) as another:
            another.get("/v1/assistants")
        used = "SELECT 1 FROM api_keys WHERE last_used_at IS NOT NULL AND sha256 = sha256(%s)"
        wait_for(lambda: database.execute(used, [other.encode()]).fetchone(), "the other's use", 15)
        assert noted() == first


def test_a_disabled_project_is_closed_at_once_and_its_runs_wait(
    locum: Locum, second: Locum, model: str, script: Any, backend: CompletionBackend
) -> None:
    script(Turn(text="Done."), repeat=True)
    key = locum.new_project()
    project = locum.project_of(key)
    with _opened(locum, key) as http, _opened(second, key) as other, psycopg.connect(locum.database_url) as database:
        assistant = http.post("/v1/assistants", json={"model": model}).json()["id"]
        thread = http.post("/v1/threads", json={"messages": [{"role": "user", "content": "Hi"}]}).json()["id"]
        assert _command(locum, "projects", "disable", project).split()[-2] == "disabled"
        for client in (http, other):
            assert error_of(client.get("/v1/assistants"), 401)["code"] == "not_authorized_invalid_project"
        _command(locum, "projects", "enable", project)
        run = http.post(f"/v1/threads/{thread}/runs", json={"assistant_id": assistant}).json()["id"]
        path = f"/v1/threads/{thread}/runs/{run}"
        wait_for(lambda: http.get(path).json()["status"] == "completed", "the run", 20)
        # A run that is queued while its project is disabled.
        _command(locum, "projects", "disable", project)
        again = "status = 'queued', completed_at = NULL, usage = NULL, expires_at = now() + interval '5 minutes'"
        database.execute(f"UPDATE runs SET {again} WHERE id = %s", [run])
        database.commit()
        with locum.client() as unconcerned:
            mine = unconcerned.beta.assistants.create(model=model)
            done = unconcerned.beta.threads.create_and_run_poll(
                assistant_id=mine.id, thread={"messages": [{"role": "user", "content": "Hi"}]}
            )
            assert done.status == "completed"
        row = database.execute("SELECT status FROM runs WHERE id = %s", [run]).fetchone()
        assert row == ("queued",)
        database.commit()
        _command(locum, "projects", "enable", project)
        wait_for(lambda: http.get(path).json()["status"] == "completed", "the run that waited", 20)


def _rows(database: psycopg.Connection) -> dict[str, int]:
    tables = [str(row[0]) for row in database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    counts = {}
    for table in set(tables) - {"audit_log", "alembic_version", "embedding_models"}:
        row = database.execute(f"SELECT count(*) FROM {table}").fetchone()
        assert row is not None
        counts[table] = int(row[0])
    return counts


def _stored(locum: Locum) -> set[str]:
    return {path.name for path in Path(locum.environment["LOCUM_DATA_DIR"]).rglob("file*") if path.is_file()}


def test_a_deleted_project_leaves_nothing(
    locum: Locum, database: psycopg.Connection, backend: CompletionBackend
) -> None:
    from tests.security.ground import made_objects  # noqa: PLC0415 - the others need no ground

    rows, stored = _rows(database), _stored(locum)
    key = locum.new_project()
    project = locum.project_of(key)
    with _opened(locum, key) as http:
        http.headers["OpenAI-Beta"] = "assistants=v2"
        made = made_objects(http, backend)
        with locum.redis() as redis:
            event_log = f"locum:run:{made['run_id']}:events"
            assert redis.exists(event_log)
            # More than goes in one piece.
            database.execute(
                "INSERT INTO messages"
                " (id, project_id, thread_id, role, status, content, attachments, metadata, created_at)"
                " SELECT 'msg_many' || n, %s, %s, 'user', 'completed', '[]', '[]', '{}', now()"
                " FROM generate_series(1, 2500) n",
                [project, made["thread_id"]],
            )
            assert _rows(database) != rows
            assert _stored(locum) != stored
            # As a command that is killed when the project is marked: the sweep does the rest.
            database.execute("UPDATE projects SET deleted_at = now() WHERE id = %s", [project])
            assert error_of(http.get("/v1/assistants"), 401)["code"] == "invalid_api_key"
            wait_for(lambda: _rows(database) == rows, "the rows to be gone", 30)
            assert redis.xlen(event_log) == 0
            assert 0 < redis.ttl(event_log) <= 3600 or not redis.exists(event_log)
        wait_for(lambda: _stored(locum) == stored, "the bytes to be gone", 10)
    # And by the command.
    another = locum.project_of(locum.new_project())
    assert _command(locum, "projects", "delete", another, "--yes").splitlines()[-1].split() == ["project", "1"]
    assert another not in _command(locum, "projects", "list")
