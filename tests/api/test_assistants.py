"""Assistants, through the official client."""

from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI, NotFoundError, OpenAI

FUNCTION: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        "strict": True,
    },
}


def test_an_assistant_is_made_read_changed_and_deleted(client: OpenAI) -> None:
    made = client.beta.assistants.create(
        model="gpt-4o",
        name="Bård",
        description="Tells the weather.",
        instructions="Be brief.",
        tools=[FUNCTION],
        metadata={"team": "north"},
        temperature=0,
        top_p=0.5,
        response_format={"type": "json_object"},
        reasoning_effort="low",
    )
    assert made.id.startswith("asst_")
    assert (made.name, made.temperature, made.top_p, made.metadata) == ("Bård", 0, 0.5, {"team": "north"})
    assert made.to_dict()["tools"] == [FUNCTION]
    assert made.to_dict()["reasoning_effort"] == "low"
    assert client.beta.assistants.retrieve(made.id) == made

    changed = client.beta.assistants.update(made.id, name="Berit", metadata={"a": "b"})
    assert changed == made.model_copy(update={"name": "Berit", "metadata": {"a": "b"}})
    assert client.beta.assistants.retrieve(made.id) == changed

    deleted = client.beta.assistants.delete(made.id)
    assert deleted.to_dict() == {"id": made.id, "object": "assistant.deleted", "deleted": True}
    with pytest.raises(NotFoundError) as caught:
        client.beta.assistants.retrieve(made.id)
    assert caught.value.body == {
        "message": f"No assistant found with id '{made.id}'.",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }
    with pytest.raises(NotFoundError):
        client.beta.assistants.delete(made.id)


def test_null_clears_what_it_names_and_nothing_else(http: httpx2.Client) -> None:
    made = http.post(
        "/assistants",
        json={
            "model": "m",
            "name": "n",
            "description": "d",
            "instructions": "i",
            "temperature": 0.3,
            "tools": [FUNCTION],
            "metadata": {"a": "b"},
            "response_format": {"type": "text"},
            "tool_resources": {"code_interpreter": {"file_ids": []}},
        },
    ).json()
    path = f"/assistants/{made['id']}"
    assert http.post(path, json={}).json() == made
    assert http.post(path).json() == made
    nulls = ("name", "description", "instructions", "temperature", "metadata", "response_format", "tool_resources")
    cleared = http.post(path, json=dict.fromkeys(nulls)).json()
    defaults = {"temperature": 1.0, "metadata": {}, "response_format": "auto", "tool_resources": {}}
    assert cleared == {**made, **dict.fromkeys(nulls), **defaults}
    assert http.post(path, json={"tools": []}).json() == {**cleared, "tools": []}
    assert http.get(path).json() == {**cleared, "tools": []}


def test_assistants_of_another_project_are_not_there(client: OpenAI, other_client: OpenAI) -> None:
    mine = client.beta.assistants.create(model="m")
    for call in (
        lambda: other_client.beta.assistants.retrieve(mine.id),
        lambda: other_client.beta.assistants.update(mine.id, name="x"),
        lambda: other_client.beta.assistants.delete(mine.id),
    ):
        with pytest.raises(NotFoundError) as caught:
            call()
        assert caught.value.body["message"] == f"No assistant found with id '{mine.id}'."  # type: ignore[index]
    assert other_client.beta.assistants.list().data == []
    assert client.beta.assistants.retrieve(mine.id) == mine


async def test_an_assistant_through_the_asynchronous_client(aclient: AsyncOpenAI) -> None:
    made = await aclient.beta.assistants.create(model="m")
    assert await aclient.beta.assistants.retrieve(made.id) == made


def test_the_code_interpreter_without_files(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="m", tools=[{"type": "code_interpreter"}])
    assert assistant.to_dict()["tool_resources"] == {"code_interpreter": {"file_ids": []}}
    assert client.beta.assistants.retrieve(assistant.id) == assistant
    run = client.beta.threads.create_and_run(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "Hi"}]}
    )
    assert run.to_dict()["tool_resources"] == {"code_interpreter": {"file_ids": []}}
    plain = client.beta.assistants.update(assistant.id, tools=[])
    assert plain.to_dict()["tool_resources"] == {}
