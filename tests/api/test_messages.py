"""Messages, through the official client."""

from typing import Any

import httpx2
import pytest
from openai import BadRequestError, NotFoundError, OpenAI


def test_a_message_is_made_read_changed_and_deleted(client: OpenAI) -> None:
    thread = client.beta.threads.create()
    made = client.beta.threads.messages.create(thread.id, role="user", content="Hi 👋", metadata={"a": "b"})
    assert made.to_dict() == {
        "id": made.id,
        "object": "thread.message",
        "created_at": made.created_at,
        "assistant_id": None,
        "thread_id": thread.id,
        "run_id": None,
        "status": "completed",
        "incomplete_details": None,
        "completed_at": made.created_at,
        "incomplete_at": None,
        "role": "user",
        "content": [{"type": "text", "text": {"value": "Hi 👋", "annotations": []}}],
        "attachments": [],
        "metadata": {"a": "b"},
    }
    assert client.beta.threads.messages.retrieve(made.id, thread_id=thread.id) == made
    changed = client.beta.threads.messages.update(made.id, thread_id=thread.id, metadata={"c": "d"})
    assert changed == made.model_copy(update={"metadata": {"c": "d"}})
    assert client.beta.threads.messages.retrieve(made.id, thread_id=thread.id) == changed
    deleted = client.beta.threads.messages.delete(made.id, thread_id=thread.id)
    assert deleted.to_dict() == {"id": made.id, "object": "thread.message.deleted", "deleted": True}
    with pytest.raises(NotFoundError, match=f"No message found with id '{made.id}'."):
        client.beta.threads.messages.retrieve(made.id, thread_id=thread.id)
    assert client.beta.threads.messages.list(thread.id).data == []


def test_parts_are_answered_with_what_was_left_out(client: OpenAI) -> None:
    thread = client.beta.threads.create()
    content: Any = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "high"}},
    ]
    made = client.beta.threads.messages.create(thread.id, role="assistant", content=content)
    assert made.role == "assistant"
    assert made.to_dict()["content"] == [
        {"type": "text", "text": {"value": "What is this?", "annotations": []}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "auto"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "high"}},
    ]


def test_a_message_of_another_thread_is_not_there(client: OpenAI) -> None:
    first = client.beta.threads.create(messages=[{"role": "user", "content": "Hi"}])
    second = client.beta.threads.create()
    message = client.beta.threads.messages.list(first.id).data[0]
    with pytest.raises(NotFoundError, match=f"No message found with id '{message.id}'."):
        client.beta.threads.messages.retrieve(message.id, thread_id=second.id)


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"content": "x"}, "role", "missing_required_parameter"),
        ({"role": "user"}, "content", "missing_required_parameter"),
        ({"role": "user", "content": "x" * 256_001}, "content", "string_above_max_length"),
        ({"role": "user", "content": "x", "file_ids": []}, "file_ids", "unknown_parameter"),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]},
            "content[0].image_url.url",
            "invalid_value",
        ),
    ],
)
def test_messages_that_are_refused(client: OpenAI, http: httpx2.Client, body: Any, param: str, code: str) -> None:
    thread = client.beta.threads.create()
    answer = http.post(f"/threads/{thread.id}/messages", json=body)
    assert answer.status_code == 400
    assert (answer.json()["error"]["param"], answer.json()["error"]["code"]) == (param, code)
    assert client.beta.threads.messages.list(thread.id).data == []


def test_the_filter_for_a_run_takes_the_id_of_a_run(client: OpenAI) -> None:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hi"}])
    assert client.beta.threads.messages.list(thread.id, run_id="run_none").data == []
    with pytest.raises(BadRequestError, match="Expected an ID that begins with 'run'.") as caught:
        client.beta.threads.messages.list(thread.id, run_id=thread.id)
    assert caught.value.param == "run_id"
