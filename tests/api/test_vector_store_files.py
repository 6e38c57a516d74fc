"""Files in vector stores, through the official client."""

from typing import Any

import httpx2
import psycopg
import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from tests.api.stored_files import ended, new_store, upload, words
from tests.running import Locum

AUTO = {"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}}


def static(size: int, overlap: int) -> Any:
    return {"type": "static", "static": {"max_chunk_size_tokens": size, "chunk_overlap_tokens": overlap}}


def test_a_file_is_added_ingested_read_changed_and_taken_out(client: OpenAI) -> None:
    text = "Blåbær are blue.\n\nTyttebær are red."
    store, file_id = new_store(client), upload(client, text, "bær.md")
    added = client.vector_stores.files.create(
        store, file_id=file_id, attributes={"kind": "berry", "year": 2026, "weight": 0.5, "ripe": True}
    )
    assert added.to_dict() == {
        "id": file_id,
        "object": "vector_store.file",
        "usage_bytes": 0,
        "created_at": added.created_at,
        "vector_store_id": store,
        "status": "in_progress",
        "last_error": None,
        "chunking_strategy": AUTO,
        "attributes": {"kind": "berry", "year": 2026, "weight": 0.5, "ripe": True},
    }
    done = ended(client, store, file_id)
    assert (done.status, done.last_error) == ("completed", None)
    assert done.usage_bytes > len(text)
    content = client.vector_stores.files.content(file_id, vector_store_id=store)
    assert [(part.type, part.text) for part in content.data] == [("text", text)]

    changed = client.vector_stores.files.update(file_id, vector_store_id=store, attributes={"kind": "fruit"})
    assert changed == done.model_copy(update={"attributes": {"kind": "fruit"}})
    assert client.vector_stores.files.retrieve(file_id, vector_store_id=store) == changed

    deleted = client.vector_stores.files.delete(file_id, vector_store_id=store)
    assert deleted.to_dict() == {"id": file_id, "object": "vector_store.file.deleted", "deleted": True}
    for call in (
        lambda: client.vector_stores.files.retrieve(file_id, vector_store_id=store),
        lambda: client.vector_stores.files.update(file_id, vector_store_id=store, attributes={}),
        lambda: client.vector_stores.files.content(file_id, vector_store_id=store),
        lambda: client.vector_stores.files.delete(file_id, vector_store_id=store),
    ):
        with pytest.raises(NotFoundError, match=f"No file found with id '{file_id}'"):
            call()
    assert client.vector_stores.retrieve(store).file_counts.total == 0
    assert client.files.retrieve(file_id).status == "processed"


def test_the_pollers_of_the_client(client: OpenAI, http: httpx2.Client) -> None:
    store = new_store(client)
    uploaded = client.vector_stores.files.upload_and_poll(vector_store_id=store, file=("a.txt", b"One."))
    polled = client.vector_stores.files.create_and_poll(upload(client, "Two."), vector_store_id=store)
    assert [uploaded.status, polled.status] == ["completed", "completed"]
    answer = http.get(f"/vector_stores/{store}/files/{polled.id}")
    assert answer.headers["openai-poll-after-ms"] == "20"


def test_files_are_listed_by_status(client: OpenAI) -> None:
    store = new_store(client)
    good = [upload(client, f"Good {number}.") for number in range(3)]
    bad = upload(client, b"\x89PNG\r\n\x1a\n", "picture.png")
    for file_id in (*good, bad):
        client.vector_stores.files.create(store, file_id=file_id)
    for file_id in (*good, bad):
        ended(client, store, file_id)
    listed = client.vector_stores.files.list(store, order="asc")
    assert [file.id for file in listed] == [*good, bad]
    assert [file.id for file in client.vector_stores.files.list(store, filter="failed")] == [bad]
    assert [file.id for file in client.vector_stores.files.list(store, filter="completed", limit=2)] == good[::-1]
    assert client.vector_stores.files.list(store, filter="in_progress").data == []
    assert [file.id for file in client.vector_stores.files.list(store, after=good[2], order="desc")] == good[1::-1]
    assert [file.id for file in client.vector_stores.files.list(store, before=good[1], order="asc")] == good[:1]
    with pytest.raises(
        BadRequestError, match="Supported values are: 'in_progress', 'completed', 'failed', and 'cancelled'"
    ):
        client.vector_stores.files.list(store, filter="done")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("picture.png", b"\x89PNG\r\n\x1a\n", "unsupported_file"),
        ("broken.pdf", b"%PDF-1.4 and then nothing", "invalid_file"),
        ("blank.txt", b" \n\n ", "invalid_file"),
    ],
)
def test_a_file_that_cannot_be_read_is_failed_with_a_reason(client: OpenAI, name: str, data: bytes, code: str) -> None:
    store, file_id = new_store(client), upload(client, data, name)
    client.vector_stores.files.create(store, file_id=file_id)
    failed = ended(client, store, file_id)
    assert failed.status == "failed"
    assert failed.last_error is not None
    assert failed.last_error.code == code, failed.last_error.message
    assert failed.last_error.message.endswith(".")
    assert failed.usage_bytes == 0
    shown = client.vector_stores.retrieve(store)
    assert (shown.status, shown.file_counts.failed, shown.file_counts.total) == ("completed", 1, 1)
    with pytest.raises(BadRequestError, match="its status is 'failed'"):
        client.vector_stores.files.content(file_id, vector_store_id=store)


def test_a_file_is_in_a_store_once(client: OpenAI, database: psycopg.Connection) -> None:
    store, file_id = new_store(client), upload(client, words(300))
    first = client.vector_stores.files.create(store, file_id=file_id, attributes={"a": 1})
    done = ended(client, store, file_id)
    again = client.vector_stores.files.create(store, file_id=file_id)
    assert again == done
    assert again.created_at == first.created_at
    named = client.vector_stores.files.create(store, file_id=file_id, attributes={"b": 2})
    assert (named.status, named.attributes) == ("completed", {"b": 2})

    def chunks() -> int:
        query = "SELECT count(*) FROM chunks WHERE vector_store_id = %s AND file_id = %s"
        row = database.execute(query, [store, file_id]).fetchone()
        assert row is not None
        return int(row[0])

    before = chunks()
    recut = client.vector_stores.files.create(store, file_id=file_id, chunking_strategy=static(100, 0))
    assert (recut.status, recut.usage_bytes) == ("in_progress", 0)
    assert ended(client, store, file_id).to_dict()["chunking_strategy"] == static(100, 0)
    assert chunks() > before
    assert client.vector_stores.retrieve(store).file_counts.total == 1


def test_a_deleted_file_leaves_all_stores(client: OpenAI, database: psycopg.Connection) -> None:
    file_id = upload(client, "Gone.")
    stores = [new_store(client, file_ids=[file_id]) for _ in range(2)]
    for store in stores:
        ended(client, store, file_id)
    client.files.delete(file_id)
    for store in stores:
        assert client.vector_stores.retrieve(store).file_counts.total == 0
        assert client.vector_stores.retrieve(store).usage_bytes == 0
    assert database.execute("SELECT 1 FROM chunks WHERE file_id = %s", [file_id]).fetchone() is None


@pytest.mark.parametrize(
    ("body", "message", "param", "code"),
    [
        ({}, "Missing required parameter: 'file_id'.", "file_id", "missing_required_parameter"),
        (
            {"file_id": "file-x", "attributes": {"k": None}},
            "Invalid type for 'attributes.k': expected one of a string, decimal, or boolean, but got null instead.",
            "attributes.k",
            "invalid_type",
        ),
        (
            {"file_id": "file-x", "attributes": {"k": ["v"]}},
            "Invalid type for 'attributes.k': expected one of a string, decimal, or boolean, but got an array instead.",
            "attributes.k",
            "invalid_type",
        ),
        (
            {"file_id": "file-x", "attributes": {"k": "v" * 513}},
            (
                "Invalid 'attributes.k': string too long. Expected a string with maximum length 512, "
                "but got a string with length 513 instead."
            ),
            "attributes.k",
            "string_above_max_length",
        ),
        (
            {"file_id": "file-x", "attributes": {str(number): number for number in range(17)}},
            (
                "Invalid 'attributes': too many properties. Expected an object with maximum size 16, "
                "but got an object with size 17 instead."
            ),
            "attributes",
            "object_above_max_properties",
        ),
        (
            {"file_id": "file-x", "chunking_strategy": static(99, 0)},
            (
                "Invalid 'chunking_strategy.static.max_chunk_size_tokens': integer below minimum value. "
                "Expected a value >= 100, but got 99 instead."
            ),
            "chunking_strategy.static.max_chunk_size_tokens",
            "integer_below_min_value",
        ),
        (
            {"file_id": "file-x", "chunking_strategy": {"type": "other"}},
            "Invalid value: 'other'. Supported values are: 'auto' and 'static'.",
            "chunking_strategy.type",
            "invalid_value",
        ),
    ],
)
def test_what_is_wrong_is_told(
    client: OpenAI, http: httpx2.Client, body: Any, message: str, param: str, code: str
) -> None:
    answer = http.post(f"/vector_stores/{new_store(client)}/files", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"] == {
        "message": message,
        "type": "invalid_request_error",
        "param": param,
        "code": code,
    }


def test_what_is_not_there_is_told(client: OpenAI, other_client: OpenAI) -> None:
    store, theirs = new_store(client), upload(other_client, "Theirs.")
    for file_id in ("file-none", theirs):
        with pytest.raises(NotFoundError, match=f"No such File object: {file_id}"):
            client.vector_stores.files.create(store, file_id=file_id)
    with pytest.raises(NotFoundError, match="No vector store found with id 'vs_none'"):
        client.vector_stores.files.create("vs_none", file_id="file-none")
    with pytest.raises(BadRequestError, match="Expected an ID that begins with 'file'"):
        client.vector_stores.files.retrieve("undefined", vector_store_id=store)


def test_a_store_has_a_limit(client: OpenAI, database: psycopg.Connection, locum: Locum) -> None:
    store = new_store(client)
    database.execute(
        """
        WITH made AS (
            INSERT INTO files (id, project_id, created_at, filename, purpose, bytes, sha256, status)
            SELECT 'file-' || s.id || n, project_id, now(), 'f', 'assistants', 0, '', 'processed'
            FROM vector_stores s, generate_series(1, 10000) n WHERE s.id = %s RETURNING id, project_id
        )
        INSERT INTO vector_store_files (id, vector_store_id, project_id, created_at, status, chunking_strategy,
                                        attributes, usage_bytes, attempt, ready_at)
        SELECT id, %s, project_id, now(), 'cancelled', '{}', '{}', 0, 0, now() FROM made
        """,
        [store, store],
    )
    with pytest.raises(BadRequestError, match="10000 are allowed"):
        client.vector_stores.files.create(store, file_id=upload(client, "One too many."))
    client.vector_stores.delete(store)
    database.execute("DELETE FROM files WHERE id LIKE %s", [f"file-{store}%"])
