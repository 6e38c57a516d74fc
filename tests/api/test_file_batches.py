"""Batches of files, through the official client.

The object of a batch is `vector_store.file_batch`, as OpenAI sends it; the client's type has another word, so here it
does not insist on its types (contract, section 5).
"""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from openai import BadRequestError, NotFoundError, OpenAI
from openai.types.vector_stores import VectorStoreFileBatch

from tests.api.stored_files import ended, new_store, upload
from tests.running import Locum, wait_for


@pytest.fixture(scope="module")
def client(locum: Locum) -> Iterator[OpenAI]:
    with OpenAI(base_url=locum.base_url, api_key=locum.api_key, max_retries=0) as opened:
        yield opened


def completed(client: OpenAI, store: str, batch_id: str) -> VectorStoreFileBatch:
    """The batch, when nothing of it is in progress; its counts must be whole all the time."""

    def look() -> VectorStoreFileBatch | None:
        batch = client.vector_stores.file_batches.retrieve(batch_id, vector_store_id=store)
        counts = batch.file_counts
        assert counts.in_progress + counts.completed + counts.failed + counts.cancelled == counts.total
        return None if batch.status == "in_progress" else batch

    found: VectorStoreFileBatch = wait_for(look, "the batch", 60)
    return found


def test_a_batch_is_made_and_read(client: OpenAI) -> None:
    store = new_store(client)
    file_ids = [upload(client, f"Fact {number}.") for number in range(3)]
    batch = client.vector_stores.file_batches.create(store, file_ids=file_ids, attributes={"batch": 1})
    assert batch.to_dict() == {
        "id": batch.id,
        "object": "vector_store.file_batch",
        "created_at": batch.created_at,
        "vector_store_id": store,
        "status": "in_progress",
        "file_counts": {"in_progress": 3, "completed": 0, "failed": 0, "cancelled": 0, "total": 3},
    }
    assert batch.id.startswith("vsfb_")
    done = completed(client, store, batch.id)
    assert (done.status, done.file_counts.completed) == ("completed", 3)
    files = client.vector_stores.file_batches.list_files(batch.id, vector_store_id=store, order="asc")
    assert [file.id for file in files] == file_ids
    assert [file.attributes for file in files] == [{"batch": 1}] * 3
    assert client.vector_stores.retrieve(store).file_counts.completed == 3


def test_each_file_has_its_own_options(client: OpenAI) -> None:
    store = new_store(client)
    first, second = upload(client, "One."), upload(client, "Two.")
    strategy: Any = {"type": "static", "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 20}}
    batch = client.vector_stores.file_batches.create(
        store,
        files=[{"file_id": first, "attributes": {"n": 1}}, {"file_id": second, "chunking_strategy": strategy}],
        attributes={"ignored": True},
    )
    completed(client, store, batch.id)
    one, two = (client.vector_stores.files.retrieve(file_id, vector_store_id=store) for file_id in (first, second))
    assert (one.attributes, two.attributes) == ({"n": 1}, {})
    assert two.to_dict()["chunking_strategy"] == strategy


def test_the_pollers_of_the_client(client: OpenAI) -> None:
    store = new_store(client)
    uploaded = client.vector_stores.file_batches.upload_and_poll(
        store, files=[("a.txt", b"One."), ("b.md", b"Two."), ("c.png", b"Three.")]
    )
    assert uploaded.status == "completed"
    assert (uploaded.file_counts.completed, uploaded.file_counts.failed, uploaded.file_counts.total) == (2, 1, 3)
    polled = client.vector_stores.file_batches.create_and_poll(store, file_ids=[upload(client, "Four.")])
    assert (polled.status, polled.file_counts.completed) == ("completed", 1)
    (failed,) = client.vector_stores.file_batches.list_files(uploaded.id, vector_store_id=store, filter="failed")
    assert failed.last_error is not None


def test_many_files(client: OpenAI) -> None:
    store = new_store(client)
    file_ids = [upload(client, f"The number of this note is {number}.", f"note {number}.txt") for number in range(40)]
    batch = client.vector_stores.file_batches.create(store, file_ids=file_ids)
    done = completed(client, store, batch.id)
    assert (done.status, done.file_counts.completed, done.file_counts.total) == ("completed", 40, 40)
    listed = list(client.vector_stores.file_batches.list_files(batch.id, vector_store_id=store, order="asc", limit=30))
    assert [file.id for file in listed] == file_ids


def test_a_file_may_be_in_several_batches(client: OpenAI) -> None:
    store, file_id = new_store(client), upload(client, "Shared.")
    batches = [client.vector_stores.file_batches.create(store, file_ids=[file_id, file_id]) for _ in range(2)]
    for batch in batches:
        assert completed(client, store, batch.id).file_counts.total == 1
    client.vector_stores.files.delete(file_id, vector_store_id=store)
    for batch in batches:
        shown = client.vector_stores.file_batches.retrieve(batch.id, vector_store_id=store)
        assert (shown.file_counts.total, shown.status) == (0, "completed")


def test_to_cancel_what_is_done_changes_nothing(client: OpenAI) -> None:
    store, file_id = new_store(client), upload(client, "Done.")
    batch = client.vector_stores.file_batches.create(store, file_ids=[file_id])
    done = completed(client, store, batch.id)
    assert client.vector_stores.file_batches.cancel(batch.id, vector_store_id=store) == done
    assert ended(client, store, file_id).status == "completed"


def test_a_batch_of_failures_has_failed(client: OpenAI) -> None:
    store = new_store(client)
    batch = client.vector_stores.file_batches.create(store, file_ids=[upload(client, "No picture.", "a.png")])
    assert completed(client, store, batch.id).status == "failed"
    assert client.vector_stores.retrieve(store).status == "completed"


@pytest.mark.parametrize(
    ("body", "message", "param", "code"),
    [
        ({}, "Missing required parameter: 'file_ids'.", "file_ids", "missing_required_parameter"),
        (
            {"file_ids": []},
            (
                "Invalid 'file_ids': array too short. Expected an array with minimum length 1, "
                "but got an array with length 0 instead."
            ),
            "file_ids",
            "array_below_min_length",
        ),
        (
            {"file_ids": ["file-x"] * 2001},
            (
                "Invalid 'file_ids': array too long. Expected an array with maximum length 2000, "
                "but got an array with length 2001 instead."
            ),
            "file_ids",
            "array_above_max_length",
        ),
        (
            {"file_ids": ["file-x"], "files": [{"file_id": "file-x"}]},
            "Only one of 'file_ids' and 'files' may be given.",
            "files",
            "invalid_value",
        ),
        (
            {"files": [{"file_id": "file-x"}, {}]},
            "Missing required parameter: 'files[1].file_id'.",
            "files[1].file_id",
            "missing_required_parameter",
        ),
    ],
)
def test_what_is_wrong_is_told(
    client: OpenAI, http: httpx2.Client, body: Any, message: str, param: str, code: str
) -> None:
    answer = http.post(f"/vector_stores/{new_store(client)}/file_batches", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"] == {
        "message": message,
        "type": "invalid_request_error",
        "param": param,
        "code": code,
    }


def test_what_is_not_there_is_told(client: OpenAI, other_client: OpenAI, http: httpx2.Client) -> None:
    store, file_id = new_store(client), upload(client, "Here.")
    with pytest.raises(NotFoundError, match="No such File object: file-none"):
        client.vector_stores.file_batches.create(store, file_ids=[file_id, "file-none"])
    assert client.vector_stores.retrieve(store).file_counts.total == 0
    batch = client.vector_stores.file_batches.create(store, file_ids=[file_id])
    elsewhere = new_store(client)
    for call in (
        client.vector_stores.file_batches.retrieve,
        client.vector_stores.file_batches.cancel,
        client.vector_stores.file_batches.list_files,
    ):
        with pytest.raises(NotFoundError, match=f"No file batch found with id '{batch.id}'"):
            call(batch.id, vector_store_id=elsewhere)
    with pytest.raises(NotFoundError, match="No vector store found"):
        other_client.vector_stores.file_batches.retrieve(batch.id, vector_store_id=store)
    with pytest.raises(BadRequestError, match="Expected an ID that begins with 'vsfb'"):
        client.vector_stores.file_batches.retrieve("batch", vector_store_id=store)
    answer = http.get(f"/vector_stores/{store}/file_batches/{batch.id}")
    assert answer.headers["openai-poll-after-ms"] == "20"
