"""The room that a project has in the storage: for uploads, their parts, and what code writes."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from openai import BadRequestError, OpenAI

from app.db.session import create_engine, create_sessions
from app.services import storage_budget
from app.services.file_sweep import COUNTED_KEY
from app.settings import Settings
from tests.api.forms import HEADERS, field, file, form, stored
from tests.api.test_code_interpreter import ask, calls, code, logs
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Turn
from tests.running import Locum, run_locum, wait_for
from tests.stack import run_stack

Script = Callable[..., None]

LIMIT = 1_000_000
OUTPUTS = 600_000


@pytest.fixture(scope="module")
def limited(backend: CompletionBackend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locum]:
    """A Locum whose projects may store a megabyte."""
    settings = {"LOCUM_PROJECT_STORAGE_BYTES": str(LIMIT), "LOCUM_CODE_FILES_BYTES": str(OUTPUTS)}
    with (
        run_stack(tmp_path_factory.mktemp("budget-stack")) as stack,
        run_locum(stack, backend.url, tmp_path_factory.mktemp("budget"), **settings) as running,
    ):
        yield running


@pytest.fixture
def client(limited: Locum) -> Iterator[OpenAI]:
    """A client with a project of its own."""
    with limited.client(limited.new_project()) as opened:
        yield opened


@pytest.fixture
def database(limited: Locum) -> Iterator[psycopg.Connection]:
    """A connection to the database, each statement its own transaction."""
    with psycopg.connect(limited.database_url, autocommit=True) as connection:
        yield connection


def upload(client: OpenAI, size: int) -> Any:
    return client.files.create(file=("a.txt", b"x" * size), purpose="assistants")


def refused(call: Callable[[], Any]) -> None:
    """Asserts that `call` is refused for want of room."""
    with pytest.raises(BadRequestError) as caught:
        call()
    body: Any = caught.value.body
    assert "exceeded your file storage quota" in body["message"]
    assert f"{LIMIT:,}" in body["message"]
    assert (body["type"], body["param"], body["code"]) == ("invalid_request_error", None, None)


def held(database: psycopg.Connection, file_id: str) -> int:
    """What the project of a file has, as the running sum says; it must be what its rows say."""
    query = """
        SELECT s.bytes, (SELECT coalesce(sum(bytes), 0) FROM files WHERE project_id = s.project_id)
            + (SELECT coalesce(sum(bytes), 0) FROM upload_parts WHERE project_id = s.project_id)
        FROM project_storage s JOIN files f ON f.project_id = s.project_id WHERE f.id = %s"""
    found = database.execute(query, [file_id]).fetchone()
    assert found is not None
    assert found[0] == found[1]
    return int(found[0])


def test_a_project_may_fill_its_room_and_no_more(client: OpenAI, limited: Locum) -> None:
    first, _ = upload(client, 600_000), upload(client, 300_000)
    before = set(stored(limited))
    refused(lambda: upload(client, 100_001))
    assert set(stored(limited)) <= before
    upload(client, 100_000)
    # Full: nothing of the body is read.
    refused(lambda: upload(client, 1))
    client.files.delete(first.id)
    upload(client, 600_000)
    # Another project has room of its own.
    with limited.client(limited.new_project()) as other:
        upload(other, LIMIT)


def test_parts_of_uploads_count_and_are_counted_once(client: OpenAI, database: psycopg.Connection) -> None:
    begun = client.uploads.create(filename="a.bin", purpose="assistants", bytes=LIMIT - 10, mime_type="text/plain")
    part = client.uploads.parts.create(begun.id, data=b"x" * (LIMIT - 10))
    refused(lambda: client.uploads.parts.create(begun.id, data=b"x" * 11))
    refused(lambda: upload(client, 11))
    done = client.uploads.complete(begun.id, part_ids=[part.id])
    assert done.file is not None
    assert held(database, done.file.id) == LIMIT - 10
    small = upload(client, 10)
    assert held(database, small.id) == LIMIT
    client.files.delete(done.file.id)
    assert held(database, small.id) == 10
    cancelled = client.uploads.create(filename="b.bin", purpose="assistants", bytes=9, mime_type="text/plain")
    client.uploads.parts.create(cancelled.id, data=b"x" * 900_000)
    client.uploads.cancel(cancelled.id)
    assert held(database, small.id) == 10


def test_of_many_at_the_edge_as_many_get_in_as_there_is_room_for(client: OpenAI, database: psycopg.Connection) -> None:
    refusals: list[str] = []

    def tried(_: int) -> str | None:
        try:
            return str(upload(client, 50_000).id)
        except BadRequestError as error:
            refusals.append(error.message)
            return None

    with ThreadPoolExecutor(50) as threads:
        made = [file_id for file_id in threads.map(tried, range(50)) if file_id]
    assert len(made) == LIMIT // 50_000
    assert all("quota" in refusal for refusal in refusals)
    assert held(database, made[0]) == LIMIT
    with ThreadPoolExecutor(10) as threads:
        list(threads.map(client.files.delete, made[1:]))
    assert held(database, made[0]) == 50_000


def test_a_process_that_is_killed_leaves_the_sum_right(limited: Locum, database: psycopg.Connection) -> None:
    with limited.client(limited.new_project()) as client:
        kept = upload(client, 1000)

        def tried(_: int) -> None:
            try:
                upload(client, 20_000)
            except Exception:  # noqa: BLE001 - whatever a client gets as its server dies
                return

        with ThreadPoolExecutor(8) as threads:
            waiting = [threads.submit(tried, number) for number in range(24)]
            wait_for(lambda: held(database, kept.id) > 50_000, "some to be in")
            limited.processes["api"].kill()
            for one in waiting:
                one.result()
        limited.stop("api")
        limited.start("api", "api")
        limited.wait_until_ready()
        assert held(database, kept.id) == sum(found.bytes for found in client.files.list())


def test_a_sum_that_somebody_has_made_wrong_is_counted_anew(
    client: OpenAI, limited: Locum, database: psycopg.Connection
) -> None:
    kept = upload(client, 1234)
    database.execute(
        "UPDATE project_storage SET bytes = 999999 WHERE project_id = (SELECT project_id FROM files WHERE id = %s)",
        [kept.id],
    )
    with limited.redis() as redis:
        redis.delete(COUNTED_KEY)
    query = "SELECT bytes FROM project_storage WHERE project_id = (SELECT project_id FROM files WHERE id = %s)"
    wait_for(lambda: database.execute(query, [kept.id]).fetchone() == (1234,), "the sweep to count")
    assert asyncio.run(_recounted(limited)) == 0


async def _recounted(limited: Locum) -> int:
    engine = create_engine(Settings(database_url=limited.database_url))
    try:
        return await storage_budget.recount(create_sessions(engine).of_all())
    finally:
        await engine.dispose()


def test_a_project_that_goes_takes_its_sum_along(client: OpenAI, database: psycopg.Connection) -> None:
    kept = upload(client, 10)
    found = database.execute("SELECT project_id FROM files WHERE id = %s", [kept.id]).fetchone()
    assert found is not None
    database.execute("DELETE FROM projects WHERE id = %s", found)
    assert database.execute("SELECT 1 FROM project_storage WHERE project_id = %s", found).fetchone() is None


@pytest.fixture(scope="module")
def sandbox(limited: Locum) -> Iterator[None]:
    """The sandbox host."""
    limited.start_sandbox()
    yield
    limited.stop("sandbox")


def written(code_text: str, client: OpenAI, model: str, script: Script) -> tuple[str, dict[str, int]]:
    """The logs of an execution, and the files that it left, by name."""
    script(Turn(tool_calls=[code(code_text)]), Turn(text="Done."))
    run = ask(client, model)
    assert run.status == "completed", run.last_error
    (call,) = calls(client, run)
    return logs(call), {found.filename: found.bytes for found in client.files.list(purpose="assistants_output")}


@pytest.mark.usefixtures("sandbox")
def test_what_code_brings_back_is_limited_as_a_whole_sparse_or_not(
    client: OpenAI, model: str, script: Script, limited: Locum
) -> None:
    text = """
for name, size in (("a.bin", 400_000), ("b.bin", 300_000), ("c.bin", 100_000)):
    with open(name, "wb") as file:
        file.truncate(size)
"""
    said, files = written(text, client, model, script)
    assert files == {"a.bin": 400_000, "c.bin": 100_000}
    assert "not kept (1)" in said
    assert f"{OUTPUTS:,} bytes" in said
    assert "b.bin" in said
    # What is a hole in the sandbox is one in the storage.
    (found,) = [found for found in client.files.list(purpose="assistants_output") if found.filename == "a.bin"]
    assert stored(limited)[found.id].stat().st_blocks * 512 < 10_000
    assert client.files.content(found.id).read() == bytes(400_000)


@pytest.mark.usefixtures("sandbox")
def test_what_code_writes_beyond_the_project_s_room_is_told(client: OpenAI, model: str, script: Script) -> None:
    upload(client, 900_000)
    text = "for name, size in (('a.bin', 90_000), ('b.bin', 90_000)): open(name, 'wb').write(b'x' * size)"
    said, files = written(text, client, model, script)
    assert files == {"a.bin": 90_000}
    assert "b.bin could not be kept" in said
    assert "quota" in said


@pytest.mark.usefixtures("sandbox")
def test_images_without_end_are_told(client: OpenAI, model: str, script: Script) -> None:
    text = """
import base64
from IPython.display import Image, display
dot = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
for _ in range(60):
    display(Image(dot))
"""
    said, files = written(text, client, model, script)
    assert "Images that were not kept: 10" in said
    assert len(client.files.list(purpose="assistants_output").data) <= 50
    assert set(files) == {"image.png"}


def test_no_room_is_asked_for_before_the_form_is_right(client: OpenAI, limited: Locum) -> None:
    body = form(field("purpose", "nonsense"), file(b"x"))
    answer = client._client.post(f"{limited.base_url}/files", content=body, headers={**HEADERS, **client.auth_headers})
    assert answer.status_code == 400
    assert "purpose" in answer.json()["error"]["message"]
