"""Threads, through the official client."""

from typing import Any

import httpx2
import psycopg
import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from tests.api.test_runs import texts


@pytest.mark.parametrize("options", [{}, {"json": {}}, {"content": b""}, {"content": b"{}"}, {"content": b" \n"}])
def test_a_thread_needs_no_body(http: httpx2.Client, options: Any) -> None:
    answer = http.post("/threads", **options)
    assert answer.status_code == 200
    thread = answer.json()
    assert thread.pop("id").startswith("thread_")
    assert isinstance(thread.pop("created_at"), int)
    assert thread == {"object": "thread", "metadata": {}, "tool_resources": {}}


def test_a_thread_is_made_read_changed_and_deleted(client: OpenAI) -> None:
    made = client.beta.threads.create(metadata={"a": "b"})
    assert client.beta.threads.retrieve(made.id) == made
    changed = client.beta.threads.update(made.id, metadata={"c": "d"})
    assert changed == made.model_copy(update={"metadata": {"c": "d"}})
    assert client.beta.threads.retrieve(made.id) == changed
    assert client.beta.threads.update(made.id) == changed
    assert client.beta.threads.update(made.id, metadata=None).metadata == {}
    deleted = client.beta.threads.delete(made.id)
    assert deleted.to_dict() == {"id": made.id, "object": "thread.deleted", "deleted": True}
    for call in (client.beta.threads.retrieve, client.beta.threads.delete, client.beta.threads.messages.list):
        with pytest.raises(NotFoundError, match=f"No thread found with id '{made.id}'."):
            call(made.id)


def test_the_messages_of_a_new_thread_keep_their_order(client: OpenAI) -> None:
    messages: Any = [{"role": ("user", "assistant")[n % 2], "content": f"m{n}"} for n in range(250)]
    thread = client.beta.threads.create(messages=messages)
    assert texts(client, thread.id, limit=100) == [f"m{n}" for n in range(250)]
    newest = client.beta.threads.messages.list(thread.id, limit=1).data[0]
    assert newest.content[0].to_dict() == {"type": "text", "text": {"value": "m249", "annotations": []}}


def test_a_thread_with_a_bad_message_is_not_made(client: OpenAI, database: psycopg.Connection) -> None:
    marker = {"marker": "a thread with a bad message"}
    with pytest.raises(BadRequestError) as caught:
        client.beta.threads.create(
            messages=[{"role": "user", "content": "ok"}, {"role": "system", "content": "x"}],  # type: ignore[typeddict-item]
            metadata=marker,
        )
    assert caught.value.param == "messages[1].role"
    query = "SELECT count(*) FROM threads WHERE metadata->>'marker' = %s"
    assert database.execute(query, [marker["marker"]]).fetchone() == (0,)


def test_deleting_a_thread_deletes_what_it_holds(client: OpenAI, database: psycopg.Connection) -> None:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hi"}])
    client.beta.threads.delete(thread.id)
    query = "SELECT count(*) FROM messages WHERE thread_id = %s"
    assert database.execute(query, [thread.id]).fetchone() == (0,)


def test_threads_of_another_project_are_not_there(client: OpenAI, other_client: OpenAI) -> None:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hi"}])
    message = client.beta.threads.messages.list(thread.id).data[0]
    for call in (
        lambda: other_client.beta.threads.retrieve(thread.id),
        lambda: other_client.beta.threads.update(thread.id, metadata={}),
        lambda: other_client.beta.threads.delete(thread.id),
        lambda: other_client.beta.threads.messages.list(thread.id),
        lambda: other_client.beta.threads.messages.create(thread.id, role="user", content="x"),
        lambda: other_client.beta.threads.messages.retrieve(message.id, thread_id=thread.id),
        lambda: other_client.beta.threads.messages.delete(message.id, thread_id=thread.id),
        lambda: other_client.beta.threads.runs.list(thread.id),
    ):
        with pytest.raises(NotFoundError, match=f"No thread found with id '{thread.id}'."):
            call()
    assert client.beta.threads.messages.retrieve(message.id, thread_id=thread.id) == message
