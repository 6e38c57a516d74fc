"""From files to cited answers: uploads, vector stores, batches, search, runs."""

import hashlib
import io
from typing import Any

from openai import BadRequestError, NotFoundError

from tests.sdk.python_client.bench import Bench, Scenario, equal

FOODS = "Favourite foods of the team. Ada likes pizza with pineapple. Grace prefers dumplings."
MOONS = "The moons of Jupiter. Io has volcanoes, Europa an ocean beneath its ice."
SEARCH: Any = {"tool_calls": [{"name": "file_search", "arguments": {"queries": ["What does Ada like?"]}}]}
BATCH = 100
FAST: Any = {"poll_interval_ms": 50}


def _cited(bench: Bench, thread_id: str) -> None:
    """The newest message cites a file, and its indices cut exactly the marker out of the text."""
    message: Any = next(iter(bench.client.beta.threads.messages.list(thread_id)))
    text = message.content[0].text
    (citation,) = text.annotations
    equal(text.value[citation.start_index : citation.end_index], citation.text)
    equal(text.value.replace(citation.text, ""), "Ada likes pizza.")
    file = bench.client.files.retrieve(citation.file_citation.file_id)
    equal((file.filename, citation.text), ("foods.txt", "【0:0†foods.txt】"))


def a_file_is_cited(bench: Bench) -> None:
    client = bench.client
    store = client.vector_stores.create(name="facts")
    file = client.vector_stores.files.upload_and_poll(
        vector_store_id=store.id, file=("foods.txt", io.BytesIO(FOODS.encode())), **FAST
    )
    equal((file.status, file.vector_store_id, file.last_error), ("completed", store.id, None))
    (found,) = client.vector_stores.search(store.id, query="pizza").data
    equal((found.file_id, found.filename, found.content[0].text), (file.id, "foods.txt", FOODS))
    model = bench.model(SEARCH, {"text": ["Ada likes pizza", "【0:0†", "foods.txt】", "."]}, repeat=True)
    assistant_id, thread_id = bench.ready(
        model,
        "What does Ada like?",
        tools=[{"type": "file_search"}],
        tool_resources={"file_search": {"vector_store_ids": [store.id]}},
    )
    run = client.beta.threads.runs.create_and_poll(thread_id=thread_id, assistant_id=assistant_id)
    equal((run.status, run.last_error), ("completed", None))
    _cited(bench, thread_id)
    steps = client.beta.threads.runs.steps.list(
        run.id,
        thread_id=thread_id,
        order="asc",
        include=["step_details.tool_calls[*].file_search.results[*].content"],
    )
    details: Any = next(iter(steps)).step_details
    equal([result.content[0].text for result in details.tool_calls[0].file_search.results], [FOODS])
    client.vector_stores.files.delete(file.id, vector_store_id=store.id)
    equal(client.files.retrieve(file.id).status, "processed")
    assert client.vector_stores.delete(store.id).deleted


def an_attachment_is_cited_in_a_stream(bench: Bench) -> None:
    client = bench.client
    file = client.files.create(file=("foods.txt", FOODS.encode()), purpose="assistants")
    thread = client.beta.threads.create(
        messages=[
            {
                "role": "user",
                "content": "What does Ada like?",
                "attachments": [{"file_id": file.id, "tools": [{"type": "file_search"}]}],
            }
        ]
    )
    model = bench.model(SEARCH, {"text": ["Ada likes pizza【0", ":0】."]})
    assistant = client.beta.assistants.create(model=model, tools=[{"type": "file_search"}])
    with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        for event in stream:
            assert event.event != "error", event
        (message,) = stream.get_final_messages()
        equal(stream.get_final_run().status, "completed")
    equal(message.content, next(iter(client.beta.threads.messages.list(thread.id))).content)
    _cited(bench, thread.id)


def a_hundred_files_make_a_batch(bench: Bench) -> None:
    """By the lenient client: the types of the strict one have another name for a batch than OpenAI answers."""
    files = [(f"note {number}.md", f"# Note {number}\nThe number is {number}.".encode()) for number in range(BATCH)]
    with bench.lenient_client() as client:
        store = client.vector_stores.create()
        batch = client.vector_stores.file_batches.upload_and_poll(store.id, files=files, **FAST)
        counts = batch.file_counts
        equal((batch.status, counts.completed, counts.total), ("completed", BATCH, BATCH))
        listed = list(client.vector_stores.file_batches.list_files(batch.id, vector_store_id=store.id, limit=30))
        equal(len({file.id for file in listed}), BATCH)
        equal(len(list(client.vector_stores.files.list(store.id, filter="completed", limit=100))), BATCH)
        best = client.vector_stores.search(store.id, query="note 42 number is 42", max_num_results=5).data
        equal(len(best), 5)
        assert "note 42.md" in {hit.filename for hit in best}


def files_come_and_go(bench: Bench) -> None:
    client = bench.client
    file = client.files.create(file=("moons.txt", MOONS.encode()), purpose="user_data")
    equal((file.filename, file.bytes, file.purpose), ("moons.txt", len(MOONS.encode()), "user_data"))
    equal([one.id for one in client.files.list(purpose="user_data")].count(file.id), 1)
    equal(client.files.content(file.id).read(), MOONS.encode())
    equal(client.files.wait_for_processing(file.id).status, "processed")
    deleted = client.files.delete(file.id)
    equal((deleted.id, deleted.object, deleted.deleted), (file.id, "file", True))
    try:
        client.files.retrieve(file.id)
    except NotFoundError as error:
        equal(error.body["message"] if isinstance(error.body, dict) else None, f"No such File object: {file.id}")
    else:
        raise AssertionError("a deleted file is still there")


def a_file_is_uploaded_in_parts(bench: Bench) -> None:
    data = bytes(range(256)) * 1000
    upload = bench.client.uploads.upload_file_chunked(
        file=data,
        filename="parts.txt",
        bytes=len(data),
        mime_type="text/plain",
        purpose="assistants",
        part_size=100_000,
        md5=hashlib.md5(data).hexdigest(),
    )
    equal(upload.status, "completed")
    assert upload.file is not None
    equal(bench.client.files.content(upload.file.id).read(), data)


def vector_stores_are_kept_like_the_rest(bench: Bench) -> None:
    stores = bench.client.vector_stores
    made = stores.create(name="a", metadata={"k": "v"}, expires_after={"anchor": "last_active_at", "days": 3})
    equal((made.status, made.file_counts.total, made.usage_bytes), ("completed", 0, 0))
    equal(made.expires_at, made.last_active_at + 3 * 86400 if made.last_active_at else None)
    equal(stores.update(made.id, name="b").name, "b")
    equal(stores.retrieve(made.id).metadata, {"k": "v"})
    # One a page: stores made for attachments have no name, which this strict client refuses.
    equal(stores.list(limit=1).data[0].id, made.id)
    assert stores.delete(made.id).deleted


def what_cannot_be_searched_says_why(bench: Bench) -> None:
    stores = bench.client.vector_stores
    store = stores.create(name="bad")
    bad = stores.files.upload_and_poll(
        vector_store_id=store.id, file=("photo.png", b"\x89PNG\r\n\x1a\n" + bytes(64)), **FAST
    )
    equal(bad.status, "failed")
    assert bad.last_error is not None
    equal(bad.last_error.code, "unsupported_file")
    counts = stores.retrieve(store.id).file_counts
    equal((counts.failed, counts.total), (1, 1))
    for wrong in ({"max_num_results": 0}, {"filters": {"type": "like", "key": "a", "value": "b"}}):
        try:
            stores.search(store.id, query="x", extra_body=wrong)
        except BadRequestError:
            continue
        raise AssertionError(f"{wrong} was taken")


SCENARIOS: list[Scenario] = [
    a_file_is_cited,
    an_attachment_is_cited_in_a_stream,
    a_hundred_files_make_a_batch,
    files_come_and_go,
    a_file_is_uploaded_in_parts,
    vector_stores_are_kept_like_the_rest,
    what_cannot_be_searched_says_why,
]
