"""Vector stores, their files and batches of them."""

from typing import Any

from tests.compatibility.calling import Caller

_TEXT = "Ada likes pizza with pineapple."
_FILE: Any = ("foods.txt", _TEXT.encode())
_FAST: Any = {"poll_interval_ms": 10}


async def _file(call: Caller) -> str:
    return str((await call("files.create", file=_FILE, purpose="assistants")).id)


async def vector_stores(call: Caller) -> None:
    made = await call("vector_stores.create", name="facts")
    assert (made.name, made.status) == ("facts", "completed")
    found = await call("vector_stores.retrieve", made.id)
    assert found.id == made.id
    assert (await call("vector_stores.update", made.id, name="foods")).name == "foods"
    assert [store.id for store in (await call("vector_stores.list", limit=1)).data] == [made.id]
    await call("vector_stores.files.upload_and_poll", vector_store_id=made.id, file=_FILE, **_FAST)
    (hit,) = (await call("vector_stores.search", made.id, query="pizza")).data
    assert hit.content[0].text == _TEXT
    gone = await call("vector_stores.delete", made.id)
    assert (gone.id, gone.deleted) == (made.id, True)


async def vector_store_files(call: Caller) -> None:
    store = (await call("vector_stores.create", name="facts")).id
    place = {"vector_store_id": store}
    file_id = await _file(call)
    made = await call("vector_stores.files.create", store, file_id=file_id)
    assert (made.id, made.status) == (file_id, "in_progress")
    done = await call("vector_stores.files.poll", file_id, **place, **_FAST)
    assert (done.status, done.last_error) == ("completed", None)
    assert await call("vector_stores.files.retrieve", file_id, **place) == done
    changed = await call("vector_stores.files.update", file_id, **place, attributes={"year": 2026})
    assert changed.attributes == {"year": 2026}
    assert (await call("vector_stores.files.list", store)).data == [changed]
    (part,) = (await call("vector_stores.files.content", file_id, **place)).data
    assert part.text == _TEXT
    gone = await call("vector_stores.files.delete", file_id, **place)
    assert (gone.id, gone.deleted) == (file_id, True)
    again = await call("vector_stores.files.create_and_poll", file_id, **place, **_FAST)
    assert again.status == "completed"
    sent = await call("vector_stores.files.upload", vector_store_id=store, file=_FILE)
    assert (sent.vector_store_id, sent.status) == (store, "in_progress")


async def file_batches(call: Caller) -> None:
    """By the lenient client: its type has another word for `object` than OpenAI sends (docs/contract.md, section 5)."""
    store = (await call("vector_stores.create", name="facts")).id
    place: Any = {"vector_store_id": store, "lenient": True}
    file_ids = [await _file(call), await _file(call)]
    made = await call("vector_stores.file_batches.create", **place, file_ids=file_ids)
    _is_typed(made)
    assert made.file_counts.total == 2
    done = await call("vector_stores.file_batches.poll", made.id, **place, **_FAST)
    _is_typed(done)
    assert (done.status, done.file_counts.completed) == ("completed", 2)
    assert await call("vector_stores.file_batches.retrieve", made.id, **place) == done
    listed = await call("vector_stores.file_batches.list_files", made.id, vector_store_id=store, order="asc")
    assert [file.id for file in listed.data] == file_ids
    polled = await call("vector_stores.file_batches.create_and_poll", **place, file_ids=[await _file(call)], **_FAST)
    assert polled.status == "completed"
    sent = await call("vector_stores.file_batches.upload_and_poll", **place, files=[_FILE, _FILE], **_FAST)
    assert (sent.status, sent.file_counts.completed) == ("completed", 2)
    other = await call("vector_stores.file_batches.create", **place, file_ids=[await _file(call)])
    stopped = await call("vector_stores.file_batches.cancel", other.id, **place)
    _is_typed(stopped)
    assert stopped.status in ("cancelled", "completed")


def _is_typed(batch: Any) -> None:
    """Holds a batch against its type, but for the one word."""
    fields = batch.to_dict()
    assert fields["object"] == "vector_store.file_batch"
    type(batch).model_validate({**fields, "object": "vector_store.files_batch"}, strict=True)


SCENARIOS = (vector_stores, vector_store_files, file_batches)
