"""Vector stores, through the official client."""

import time
from typing import Any

import httpx2
import psycopg
import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from tests.api.stored_files import ended, new_store, upload
from tests.running import Locum, wait_for

DAY = 24 * 3600


def expire(database: psycopg.Connection, store_id: str) -> None:
    """Turns the clock of a store on by its time."""
    database.execute(
        "UPDATE vector_stores SET last_active_at = last_active_at - interval '9 days',"
        " expires_at = expires_at - interval '9 days' WHERE id = %s",
        [store_id],
    )


def test_a_store_is_made_read_changed_and_deleted(client: OpenAI) -> None:
    made = client.vector_stores.create(
        name="Håndbøker",
        metadata={"team": "north"},
        expires_after={"anchor": "last_active_at", "days": 3},
        extra_body={"description": "What we know."},
    )
    assert made.id.startswith("vs_")
    assert made.to_dict() == {
        "id": made.id,
        "object": "vector_store",
        "created_at": made.created_at,
        "name": "Håndbøker",
        "description": "What we know.",
        "usage_bytes": 0,
        "file_counts": {"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0, "total": 0},
        "status": "completed",
        "expires_after": {"anchor": "last_active_at", "days": 3},
        "expires_at": made.created_at + 3 * DAY,
        "last_active_at": made.created_at,
        "metadata": {"team": "north"},
    }
    assert client.vector_stores.retrieve(made.id) == made

    changed = client.vector_stores.update(made.id, name="Books", expires_after=None, metadata={"a": "b"})
    assert (changed.name, changed.expires_after, changed.expires_at, changed.metadata) == (
        "Books",
        None,
        None,
        {"a": "b"},
    )
    assert client.vector_stores.retrieve(made.id) == changed

    deleted = client.vector_stores.delete(made.id)
    assert deleted.to_dict() == {"id": made.id, "object": "vector_store.deleted", "deleted": True}
    for call in (client.vector_stores.retrieve, client.vector_stores.update, client.vector_stores.delete):
        with pytest.raises(NotFoundError) as caught:
            call(made.id)
        assert caught.value.body == {
            "message": f"No vector store found with id '{made.id}'.",
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        }


def test_a_store_needs_no_body_no_name_and_no_beta_header(locum: Locum) -> None:
    headers = {"Authorization": f"Bearer {locum.api_key}"}
    made = httpx2.post(f"{locum.base_url}/vector_stores", headers=headers)
    assert made.status_code == 200, made.text
    assert list(made.json()) == [
        "id",
        "object",
        "created_at",
        "name",
        "description",
        "usage_bytes",
        "file_counts",
        "status",
        "expires_after",
        "expires_at",
        "last_active_at",
        "metadata",
    ]
    assert (made.json()["name"], made.json()["metadata"]) == (None, {})
    store = made.json()["id"]
    for path in (f"/vector_stores/{store}", f"/vector_stores/{store}/files", "/vector_stores?limit=1"):
        assert httpx2.get(f"{locum.base_url}{path}", headers=headers).status_code == 200


def test_stores_are_listed_with_their_counts(locum: Locum) -> None:
    with locum.client(locum.new_project()) as client:
        file_id = upload(client, "The tide comes twice a day.")
        empty, full = new_store(client, name="empty"), new_store(client, name="full", file_ids=[file_id])
        ended(client, full, file_id)
        listed = client.vector_stores.list()
        assert [store.id for store in listed] == [full, empty]
        assert [store.file_counts.completed for store in listed] == [1, 0]
        assert listed.data[0] == client.vector_stores.retrieve(full)
        assert [store.id for store in client.vector_stores.list(limit=1, order="asc")] == [empty, full]
        assert client.vector_stores.list(after=full).data == listed.data[1:]


def test_files_given_at_the_making_are_ingested(client: OpenAI) -> None:
    file_ids = [upload(client, f"Fact {number}.") for number in range(3)]
    strategy: Any = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 50}}
    made = client.vector_stores.create(name="n", file_ids=[*file_ids, file_ids[0]], chunking_strategy=strategy)
    assert (made.status, made.file_counts.in_progress, made.file_counts.total) == ("in_progress", 3, 3)
    for file_id in file_ids:
        file = ended(client, made.id, file_id)
        assert (file.status, file.to_dict()["chunking_strategy"]) == ("completed", strategy)
    store = client.vector_stores.retrieve(made.id)
    assert (store.status, store.file_counts.completed, store.file_counts.total) == ("completed", 3, 3)
    assert store.usage_bytes == sum(file.usage_bytes for file in client.vector_stores.files.list(made.id)) > 0


@pytest.mark.parametrize(
    ("options", "message", "param", "code"),
    [
        (
            {"file_ids": ["file-x"] * 501},
            (
                "Invalid 'file_ids': array too long. Expected an array with maximum length 500, "
                "but got an array with length 501 instead."
            ),
            "file_ids",
            "array_above_max_length",
        ),
        (
            {"expires_after": {"anchor": "last_active_at", "days": 366}},
            "Invalid 'expires_after.days': integer above maximum value. Expected a value <= 365, but got 366 instead.",
            "expires_after.days",
            "integer_above_max_value",
        ),
        (
            {"expires_after": {"anchor": "created_at", "days": 1}},
            "Invalid value: 'created_at'. Supported values are: 'last_active_at'.",
            "expires_after.anchor",
            "invalid_value",
        ),
        (
            {
                "file_ids": ["file-x"],
                "chunking_strategy": {
                    "type": "static",
                    "static": {"max_chunk_size_tokens": 400, "chunk_overlap_tokens": 201},
                },
            },
            (
                "Invalid 'chunking_strategy.static.chunk_overlap_tokens': expected at most half of "
                "'max_chunk_size_tokens' (400), but got 201 instead."
            ),
            "chunking_strategy.static.chunk_overlap_tokens",
            "invalid_value",
        ),
        (
            {"chunking_strategy": {"type": "auto"}},
            "Invalid 'chunking_strategy': it is for the files of 'file_ids', and there are none.",
            "chunking_strategy",
            "invalid_value",
        ),
        (
            {"file_ids": "file-x"},
            "Invalid type for 'file_ids': expected an array of strings, but got a string instead.",
            "file_ids",
            "invalid_type",
        ),
        ({"filed": []}, "Unknown parameter: 'filed'. Did you mean 'file_ids'?", "filed", "unknown_parameter"),
    ],
)
def test_what_is_wrong_is_told(http: httpx2.Client, options: Any, message: str, param: str, code: str) -> None:
    answer = http.post("/vector_stores", json={"name": "n", **options})
    assert answer.status_code == 400
    assert answer.json()["error"] == {
        "message": message,
        "type": "invalid_request_error",
        "param": param,
        "code": code,
    }


def test_a_missing_file_makes_no_store(locum: Locum) -> None:
    with locum.client(locum.new_project()) as client:
        with pytest.raises(NotFoundError) as caught:
            client.vector_stores.create(name="n", file_ids=["file-none"])
        assert (caught.value.body["message"], caught.value.param) == ("No such File object: file-none", "id")  # type: ignore[index]
        assert client.vector_stores.list().data == []


def test_stores_of_another_project_are_not_there(client: OpenAI, other_client: OpenAI) -> None:
    store, file_id = new_store(client), upload(client, "Mine.")
    for call in (
        lambda: other_client.vector_stores.retrieve(store),
        lambda: other_client.vector_stores.update(store, name="x"),
        lambda: other_client.vector_stores.files.list(store),
        lambda: other_client.vector_stores.delete(store),
    ):
        with pytest.raises(NotFoundError, match=f"No vector store found with id '{store}'"):
            call()
    with pytest.raises(NotFoundError, match="No such File object"):
        other_client.vector_stores.create(name="n", file_ids=[file_id])
    assert other_client.vector_stores.list().data == []


def test_an_expired_store_is_told_so_refused_and_emptied(client: OpenAI, database: psycopg.Connection) -> None:
    file_id = upload(client, "Soon forgotten.")
    store = new_store(client, file_ids=[file_id], expires_after={"anchor": "last_active_at", "days": 7})
    ended(client, store, file_id)
    expire(database, store)
    assert client.vector_stores.retrieve(store).status == "expired"
    for call in (
        lambda: client.vector_stores.files.create(store, file_id=file_id),
        lambda: client.vector_stores.update(store, name="alive"),
    ):
        with pytest.raises(BadRequestError) as caught:
            call()
        assert caught.value.body["message"] == f"Vector store '{store}' has expired."  # type: ignore[index]

    def chunks() -> int:
        row = database.execute("SELECT count(*) FROM chunks WHERE vector_store_id = %s", [store]).fetchone()
        assert row is not None
        return int(row[0])

    wait_for(lambda: chunks() == 0, "the sweep of the expired store")
    assert client.vector_stores.retrieve(store).usage_bytes == 0
    assert client.vector_stores.delete(store).deleted


def test_a_store_lives_as_long_as_it_is_used(client: OpenAI, database: psycopg.Connection) -> None:
    store = new_store(client, expires_after={"anchor": "last_active_at", "days": 1})
    database.execute(
        "UPDATE vector_stores SET last_active_at = last_active_at - interval '1 hour' WHERE id = %s", [store]
    )
    client.vector_stores.files.create(store, file_id=upload(client, "Alive."))
    used = client.vector_stores.retrieve(store)
    assert used.last_active_at is not None
    assert abs(used.last_active_at - time.time()) < 60
    assert used.expires_at == used.last_active_at + DAY
