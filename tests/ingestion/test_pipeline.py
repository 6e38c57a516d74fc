"""What becomes of a file whose ingestion is interrupted, broken or repeated: it is whole in the end, and once."""

import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from openai import OpenAI

from tests.api.stored_files import ended, new_store, upload, words
from tests.fakes.completion_backend import CompletionBackend, Turn
from tests.running import Locum, wait_for
from workers.ingestion.chunking import chunk
from workers.ingestion.parsed import ParsedFile

Script = Callable[..., None]

SIZE, OVERLAP, BATCH = 100, 50, 4
FINE: Any = {"type": "static", "static": {"max_chunk_size_tokens": SIZE, "chunk_overlap_tokens": OVERLAP}}


@pytest.fixture(scope="module", autouse=True)
def _without_the_shared_worker(locum: Locum) -> Iterator[None]:
    locum.stop("ingestion")
    yield
    locum.start("ingestion", "worker", "--queue", "ingestion")
    locum.wait_until_ready()


@pytest.fixture(autouse=True)
def ingestion(locum: Locum, model: str, _without_the_shared_worker: None) -> Iterator[None]:
    """An ingestion worker that asks for embeddings by `model`."""
    before = dict(locum.environment)
    locum.environment.update(LOCUM_EMBEDDINGS_MODEL=model, LOCUM_EMBEDDINGS_BATCH=str(BATCH))
    locum.start("ingestion", "worker", "--queue", "ingestion")
    yield
    locum.environment.clear()
    locum.environment.update(before)
    if "ingestion" in locum.processes:
        locum.stop("ingestion")


@pytest.fixture
def slowly(script: Script) -> None:
    """Embeddings take their time."""
    script(Turn(delay=0.2), repeat=True)


def restart(locum: Locum) -> None:
    locum.start("ingestion", "worker", "--queue", "ingestion")


def add(client: OpenAI, text: str, store: str | None = None) -> tuple[str, str]:
    """A store, and a new file of `text` that is being ingested for it."""
    store, file_id = store or new_store(client), upload(client, text)
    client.vector_stores.files.create(store, file_id=file_id, chunking_strategy=FINE)
    return store, file_id


def chunks(database: psycopg.Connection, store: str, file_id: str) -> list[str]:
    """The texts of the chunks of a file in a store; their positions are without a gap."""
    rows = database.execute(
        "SELECT position, text FROM chunks WHERE vector_store_id = %s AND file_id = %s ORDER BY position",
        [store, file_id],
    ).fetchall()
    assert [position for position, _ in rows] == list(range(len(rows)))
    return [text for _, text in rows]


def expected(text: str) -> list[str]:
    return [piece.text for piece in chunk(ParsedFile(text), SIZE, OVERLAP)]


def wait_for_some(database: psycopg.Connection, store: str, file_id: str) -> None:
    """Returns when the first chunks of a file are written."""
    wait_for(lambda: chunks(database, store, file_id), "the first chunks", 20)


def asked(backend: CompletionBackend, model: str) -> list[str]:
    """All texts that embeddings were asked for, in order."""
    return [text for body in backend.requests(model) for text in body["input"]]


@pytest.mark.usefixtures("slowly")
def test_a_file_whose_worker_is_killed_is_finished_by_another(
    client: OpenAI, locum: Locum, database: psycopg.Connection, backend: CompletionBackend, model: str
) -> None:
    text = words(1500)
    store, file_id = add(client, text)
    wait_for_some(database, store, file_id)
    locum.stop("ingestion", signal.SIGKILL)
    written = len(chunks(database, store, file_id))
    assert written < len(expected(text)) - BATCH
    before = len(asked(backend, model))
    restart(locum)
    assert ended(client, store, file_id).status == "completed"
    assert chunks(database, store, file_id) == expected(text)
    # What was there has not been asked for again.
    assert asked(backend, model)[before] == expected(text)[written]


@pytest.mark.usefixtures("slowly")
def test_a_worker_that_is_asked_to_stop_hands_its_files_back(
    client: OpenAI, locum: Locum, database: psycopg.Connection
) -> None:
    text = words(1500)
    store, file_id = add(client, text)
    wait_for_some(database, store, file_id)
    assert locum.stop("ingestion", signal.SIGTERM) == 0
    query = "SELECT status, tries, lease_expires_at FROM vector_store_files WHERE id = %s"
    assert database.execute(query, [file_id]).fetchone() == ("in_progress", 0, None)
    restart(locum)
    assert ended(client, store, file_id).status == "completed"
    assert chunks(database, store, file_id) == expected(text)


@pytest.mark.usefixtures("slowly")
def test_a_worker_that_wakes_up_late_writes_nothing(client: OpenAI, locum: Locum, database: psycopg.Connection) -> None:
    text = words(1500)
    store, file_id = add(client, text)
    wait_for_some(database, store, file_id)
    sleeping = locum.processes["ingestion"]
    sleeping.send_signal(signal.SIGSTOP)
    try:
        locum.start("second", "worker", "--queue", "ingestion")
        query = "SELECT attempt FROM vector_store_files WHERE id = %s"
        wait_for(lambda: database.execute(query, [file_id]).fetchone() == (2,), "the file to be taken over", 20)
        sleeping.send_signal(signal.SIGCONT)
        assert ended(client, store, file_id).status == "completed"
    finally:
        sleeping.send_signal(signal.SIGCONT)
        locum.stop("second")
    assert chunks(database, store, file_id) == expected(text)


@pytest.mark.usefixtures("slowly")
def test_a_cancelled_batch_is_left_at_once(
    client: OpenAI, locum: Locum, database: psycopg.Connection, backend: CompletionBackend, model: str
) -> None:
    store = new_store(client)
    file_ids = [upload(client, words(1500, seed)) for seed in ("one", "two", "three", "four")]
    with OpenAI(base_url=locum.base_url, api_key=locum.api_key, max_retries=0) as lenient:
        batches = lenient.vector_stores.file_batches
        batch = batches.create(store, file_ids=file_ids, chunking_strategy=FINE)
        wait_for_some(database, store, file_ids[0])
        cancelled = batches.cancel(batch.id, vector_store_id=store)
        assert (cancelled.status, cancelled.file_counts.cancelled) == ("cancelled", 4)
        wait_for(lambda: backend.open_streams(model) == 0, "the worker to let go", 2)
        assert batches.retrieve(batch.id, vector_store_id=store) == cancelled
    assert [chunks(database, store, file_id) for file_id in file_ids] == [[]] * 4
    shown = client.vector_stores.retrieve(store)
    assert (shown.status, shown.usage_bytes, shown.file_counts.cancelled) == ("completed", 0, 4)
    # The worker goes on with others, and with these if they are added again.
    again = client.vector_stores.files.create(store, file_id=file_ids[0], chunking_strategy=FINE)
    assert again.status == "in_progress"
    assert ended(client, store, file_ids[0]).status == "completed"
    assert chunks(database, store, file_ids[0]) == expected(words(1500, "one"))


@pytest.mark.usefixtures("slowly")
@pytest.mark.parametrize("what", ["store", "file", "detached"])
def test_what_is_deleted_in_the_middle_is_left_quietly(
    client: OpenAI, database: psycopg.Connection, backend: CompletionBackend, model: str, what: str, locum: Locum
) -> None:
    log = locum.logs / "ingestion.log"
    said = len(log.read_text())
    store, file_id = add(client, words(1500))
    wait_for_some(database, store, file_id)
    if what == "store":
        client.vector_stores.delete(store)
    elif what == "file":
        client.files.delete(file_id)
    else:
        client.vector_stores.files.delete(file_id, vector_store_id=store)
    wait_for(lambda: backend.open_streams(model) == 0, "the worker to let go", 5)
    assert chunks(database, store, file_id) == []
    other, another = add(client, "Something else.")
    assert ended(client, other, another).status == "completed"
    assert "Traceback" not in log.read_text()[said:]


def test_embeddings_that_fail_for_a_while_are_waited_for(
    client: OpenAI, database: psycopg.Connection, script: Script
) -> None:
    down = threading.Event()
    down.set()
    script(lambda _: Turn(status=503) if down.is_set() else Turn(), repeat=True)
    text = words(100)
    store, file_id = add(client, text)
    query = "SELECT tries, ready_at > now() FROM vector_store_files WHERE id = %s"
    wait_for(lambda: database.execute(query, [file_id]).fetchone() == (1, True), "the first try to fail", 20)
    assert client.vector_stores.files.retrieve(file_id, vector_store_id=store).last_error is None
    down.clear()
    done = ended(client, store, file_id)
    assert (done.status, done.last_error) == ("completed", None)
    assert chunks(database, store, file_id) == expected(text)


def test_embeddings_that_never_come_fail_the_file(
    client: OpenAI, database: psycopg.Connection, script: Script, locum: Locum
) -> None:
    def first_only(body: dict[str, Any]) -> Turn:
        failing = {"error": {"message": "The model is broken.", "type": "server_error"}}
        return Turn() if "word0" in body["input"][0].split() else Turn(status=500, body=failing)

    script(first_only, repeat=True)
    store, file_id = add(client, words(300))
    failed = ended(client, store, file_id, 60)
    assert failed.status == "failed"
    assert failed.last_error is not None
    assert failed.last_error.code == "server_error"
    assert "The model is broken." in failed.last_error.message
    assert chunks(database, store, file_id) == []
    assert client.vector_stores.retrieve(store).file_counts.failed == 1
    # Added once more, it is tried once more.
    script(Turn(), repeat=True)
    assert client.vector_stores.files.create(store, file_id=file_id, chunking_strategy=FINE).status == "in_progress"
    assert ended(client, store, file_id).status == "completed"


def test_the_same_bytes_are_parsed_and_embedded_once(
    client: OpenAI, database: psycopg.Connection, backend: CompletionBackend, model: str
) -> None:
    text = words(2600)
    store, file_id = add(client, text)
    ended(client, store, file_id)
    requests = len(backend.requests(model))
    copy, copied_id = add(client, text)
    done = ended(client, copy, copied_id)
    assert len(expected(text)) > 100
    assert chunks(database, copy, copied_id) == expected(text)
    assert done.usage_bytes == ended(client, store, file_id).usage_bytes
    assert len(backend.requests(model)) == requests
    row = database.execute(
        "SELECT count(DISTINCT (c.embedding::text, c.words::text)), count(DISTINCT f.document_id)"
        " FROM chunks c JOIN vector_store_files f ON f.id = c.file_id AND f.vector_store_id = c.vector_store_id"
        " WHERE c.file_id IN (%s, %s)",
        [file_id, copied_id],
    ).fetchone()
    assert row == (len(expected(text)), 1)


def test_the_same_bytes_at_the_same_time(client: OpenAI, database: psycopg.Connection, slowly: None) -> None:
    text = words(200)
    added = [add(client, text) for _ in range(6)]
    for store, file_id in added:
        assert ended(client, store, file_id).status == "completed"
        assert chunks(database, store, file_id) == expected(text)
    query = "SELECT count(DISTINCT document_id) FROM vector_store_files WHERE id = ANY(%s)"
    assert database.execute(query, [[file_id for _, file_id in added]]).fetchone() == (1,)


@pytest.mark.usefixtures("slowly")
def test_a_project_with_many_files_does_not_keep_others_waiting(
    client: OpenAI, other_client: OpenAI, locum: Locum
) -> None:
    store = new_store(client)
    file_ids = [upload(client, words(100, f"many{number}x")) for number in range(12)]
    for file_id in file_ids:
        client.vector_stores.files.create(store, file_id=file_id, chunking_strategy=FINE)
    theirs, their_file = add(other_client, "Just one.")
    assert ended(other_client, theirs, their_file).status == "completed"
    assert client.vector_stores.retrieve(store).file_counts.in_progress > 4
    client.vector_stores.delete(store)


def test_a_nudge_that_is_lost_costs_no_file(client: OpenAI, locum: Locum) -> None:
    locum.stop("ingestion")
    store, file_id = add(client, "Waiting.")
    with locum.redis() as redis:
        redis.delete("locum.ingestion")
    restart(locum)
    assert ended(client, store, file_id).status == "completed"
