"""Null where a field may be left out, sent as clients send it."""

from typing import Any

import httpx2
import pytest
from openai import OpenAI

from app.schemas.assistants import AssistantCreate
from app.schemas.common import JsonObject
from app.schemas.file_batches import FileBatchCreate
from app.schemas.messages import MessageCreate
from app.schemas.runs import RunCreate, ThreadAndRunCreate
from app.schemas.threads import ThreadCreate
from app.schemas.uploads import UploadCreate
from app.schemas.vector_search import VectorStoreSearch
from app.schemas.vector_store_files import VectorStoreFileCreate
from app.schemas.vector_stores import VectorStoreCreate


def nulls(schema: type[JsonObject], **given: Any) -> dict[str, Any]:
    """A request with null for all that it need not say."""
    return {name: None for name, field in schema.model_fields.items() if not field.is_required()} | given


def _told(answer: httpx2.Response) -> Any:
    assert answer.status_code == 200, answer.text
    own = {"id", "created_at", "expires_at", "last_active_at", "thread_id", "completed_at"}
    return {name: value for name, value in answer.json().items() if name not in own}


def test_new_objects(http: httpx2.Client, client: OpenAI) -> None:
    file = client.files.create(file=("a.txt", b"A text."), purpose="assistants")
    store, searched = (client.vector_stores.create(name=name) for name in "ST")
    entry = client.vector_stores.files.create_and_poll(file.id, vector_store_id=searched.id)
    assert entry.status == "completed"
    upload = {"filename": "a.txt", "purpose": "assistants", "bytes": 1, "mime_type": "text/plain"}
    cases: list[tuple[str, type[JsonObject], dict[str, Any]]] = [
        ("/assistants", AssistantCreate, {"model": "m"}),
        ("/threads", ThreadCreate, {}),
        ("/vector_stores", VectorStoreCreate, {}),
        (f"/vector_stores/{store.id}/files", VectorStoreFileCreate, {"file_id": file.id}),
        (f"/vector_stores/{searched.id}/search", VectorStoreSearch, {"query": "text"}),
        ("/uploads", UploadCreate, upload),
    ]
    for path, schema, given in cases:
        assert _told(http.post(path, json=nulls(schema, **given))) == _told(http.post(path, json=given)), path
    batch = nulls(FileBatchCreate, file_ids=[file.id])
    assert http.post(f"/vector_stores/{store.id}/file_batches", json=batch).status_code == 200


def test_messages_and_runs(http: httpx2.Client, client: OpenAI) -> None:
    thread = client.beta.threads.create()
    message = {"role": "user", "content": "Hi"}
    path = f"/threads/{thread.id}/messages"
    assert _told(http.post(path, json=nulls(MessageCreate, **message))) == _told(http.post(path, json=message))
    assistant = client.beta.assistants.create(model="m", instructions="Help.", temperature=0.5)
    runs = [
        http.post(f"/threads/{client.beta.threads.create().id}/runs", json=nulls(RunCreate, assistant_id=assistant.id)),
        http.post("/threads/runs", json=nulls(ThreadAndRunCreate, assistant_id=assistant.id)),
        http.post("/threads/runs", json={"assistant_id": assistant.id}),
    ]
    shown = [_told(run) for run in runs]
    assert shown[0] == shown[1] == shown[2]
    assert (shown[0]["instructions"], shown[0]["temperature"]) == ("Help.", 0.5)


def test_within_objects(http: httpx2.Client) -> None:
    thread = {
        "messages": [{"role": "user", "content": "Hi", "attachments": None, "metadata": None}],
        "tool_resources": {"code_interpreter": {"file_ids": None}, "file_search": {"vector_stores": None}},
    }
    assert http.post("/threads", json=thread).status_code == 200
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": None}}
    made = http.post("/threads", json={"messages": [{"role": "user", "content": [image]}]}).json()
    (kept,) = http.get(f"/threads/{made['id']}/messages").json()["data"]
    assert kept["content"][0]["image_url"]["detail"] == "auto"
    assistant = {
        "model": "m",
        "tools": [
            {"type": "file_search", "file_search": {"ranking_options": {"ranker": None, "score_threshold": 0.5}}},
            {"type": "function", "function": {"name": "f", "description": None, "parameters": None, "strict": None}},
        ],
    }
    search, function = http.post("/assistants", json=assistant).json()["tools"]
    assert search["file_search"]["ranking_options"]["score_threshold"] == 0.5
    assert function["function"] == {"name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False}


def test_null_in_a_change_clears_only_what_may_be_null(http: httpx2.Client, client: OpenAI) -> None:
    made = client.beta.assistants.create(
        model="m",
        name="N",
        description="D",
        instructions="I",
        metadata={"a": "b"},
        temperature=0.5,
        tools=[{"type": "code_interpreter"}],
    )
    path = f"/assistants/{made.id}"
    kept = http.post(path, json={"model": None, "tools": None}).json()
    assert (kept["model"], kept["tools"], kept["name"]) == ("m", [{"type": "code_interpreter"}], "N")
    names = ("name", "description", "instructions", "metadata", "temperature")
    cleared = http.post(path, json=dict.fromkeys(names)).json()
    assert [cleared[name] for name in names] == [None, None, None, {}, 1.0]
    store = client.vector_stores.create(name="N", expires_after={"anchor": "last_active_at", "days": 1})
    changed = http.post(f"/vector_stores/{store.id}", json={"name": None, "expires_after": None}).json()
    assert (changed["name"], changed["expires_after"], changed["expires_at"]) == (None, None, None)


@pytest.mark.parametrize("path", ["/threads", "/vector_stores"])
def test_null_for_a_body_that_may_be_empty(http: httpx2.Client, path: str) -> None:
    assert http.post(path, content=b"null").status_code == 200


def test_null_for_a_body_that_may_not_be_empty(http: httpx2.Client) -> None:
    answer = http.post("/assistants", content=b"null")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "Missing required parameter: 'model'."


@pytest.mark.parametrize(
    "body", [{"metadata": {"a": None}}, {"messages": [None]}, {"messages": [{"role": None, "content": "Hi"}]}]
)
def test_null_where_something_must_be(http: httpx2.Client, body: dict[str, Any]) -> None:
    answer = http.post("/threads", json=body)
    assert answer.status_code == 400
    assert "got null instead" in answer.json()["error"]["message"]


def test_version_1(http: httpx2.Client, client: OpenAI) -> None:
    v1 = {"OpenAI-Beta": "assistants=v1"}
    file = client.files.create(file=("a.txt", b"A text."), purpose="assistants")
    body = {"model": "m", "file_ids": [file.id], "tools": [{"type": "code_interpreter"}], "tool_resources": None}
    made = http.post("/assistants", json=body, headers=v1).json()
    assert made["file_ids"] == [file.id]
    kept = http.post(f"/assistants/{made['id']}", json={"file_ids": None, "tools": None}, headers=v1).json()
    assert kept == made
    message = {"role": "user", "content": "Hi", "file_ids": None, "attachments": None, "metadata": None}
    thread = http.post("/threads", json={"messages": [message], "tool_resources": None}, headers=v1)
    assert thread.status_code == 200, thread.text
    assert http.post("/threads", json={"messages": None}, headers=v1).status_code == 200
