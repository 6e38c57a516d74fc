"""Objects and errors as v1 has them, over plain HTTP."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from tests.fakes.turns import Turn
from tests.running import Locum, wait_for

ASSISTANT = {
    "id",
    "object",
    "created_at",
    "name",
    "description",
    "model",
    "instructions",
    "tools",
    "file_ids",
    "metadata",
}
FUNCTION: Any = {
    "type": "function",
    "function": {"name": "get_time", "description": "Tells.", "parameters": {"type": "object", "properties": {}}},
}


def made(answer: httpx2.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_assistant(v1: httpx2.Client, client: OpenAI) -> None:
    body = {"model": "m", "name": "N", "tools": [FUNCTION], "metadata": {"modified": True, "n": 3, "s": "t"}}
    assistant = made(v1.post("/assistants", json=body))
    assert set(assistant) == ASSISTANT
    assert (assistant["tools"], assistant["file_ids"]) == ([FUNCTION], [])
    assert assistant["metadata"] == {"modified": "True", "n": "3", "s": "t"}
    path = f"/assistants/{assistant['id']}"
    assert made(v1.get(path)) == assistant
    assert made(v1.get("/assistants?limit=1"))["data"] == [assistant]
    changed = made(v1.post(path, json={"name": None, "metadata": {"a": 1.5}}))
    assert changed == assistant | {"name": None, "metadata": {"a": "1.5"}}
    assert made(v1.get(f"{path}/files")) == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }
    as_v2 = client.beta.assistants.retrieve(assistant["id"])
    assert (as_v2.tools[0].type, as_v2.temperature, as_v2.metadata) == ("function", 1.0, {"a": "1.5"})
    assert made(v1.delete(path)) == {"id": assistant["id"], "object": "assistant.deleted", "deleted": True}
    assert v1.get(path).status_code == 404


def test_an_assistant_made_by_v2(v1: httpx2.Client, client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="m", temperature=0.5, tools=[FUNCTION])
    shown = made(v1.get(f"/assistants/{assistant.id}"))
    assert set(shown) == ASSISTANT
    changed = made(v1.post(f"/assistants/{assistant.id}", json={"description": "D"}))
    assert changed == shown | {"description": "D"}
    assert client.beta.assistants.retrieve(assistant.id).temperature == 0.5


def test_a_run_with_its_thread_messages_and_steps(v1: httpx2.Client, model: str, script: Callable[..., None]) -> None:
    script(Turn(text=("Good ", "day!")))
    assistant = made(v1.post("/assistants", json={"model": model}))
    thread = made(v1.post("/threads", json={"metadata": {"a": 1}}))
    assert set(thread) == {"id", "object", "created_at", "metadata"}
    at = f"/threads/{thread['id']}"
    message = made(v1.post(f"{at}/messages", json={"role": "user", "content": "Hi", "metadata": {"x": False}}))
    assert (message["file_ids"], message["metadata"]) == ([], {"x": "False"})
    assert "attachments" not in message
    assert message["content"] == [{"type": "text", "text": {"value": "Hi", "annotations": []}}]
    assert made(v1.get(f"{at}/messages/{message['id']}/files"))["data"] == []

    run = made(v1.post(f"{at}/runs", json={"assistant_id": assistant["id"], "metadata": {"k": 1}}))
    assert (run["status"], run["file_ids"], run["metadata"]) == ("queued", [], {"k": "1"})
    assert not {"tool_resources", "parallel_tool_calls", "reasoning_effort"} & set(run)
    path = f"{at}/runs/{run['id']}"
    wait_for(lambda: made(v1.get(path))["status"] == "completed", "the run")
    done = made(v1.get(path))
    assert set(done["usage"]) == {"prompt_tokens", "completion_tokens", "total_tokens"}
    assert made(v1.get(f"{at}/runs"))["data"] == [done]
    (step,) = made(v1.get(f"{path}/steps"))["data"]
    assert "expires_at" not in step
    assert step["step_details"]["type"] == "message_creation"
    newest = made(v1.get(f"{at}/messages"))["data"][0]
    assert (newest["content"][0]["text"]["value"], newest["file_ids"]) == ("Good day!", [])


def test_a_streamed_run(v1: httpx2.Client, model: str, script: Callable[..., None]) -> None:
    script(Turn(text=("Good ", "day!")))
    assistant = made(v1.post("/assistants", json={"model": model}))
    body = {
        "assistant_id": assistant["id"],
        "stream": True,
        "thread": {"messages": [{"role": "user", "content": "Hi", "metadata": {"n": 1}}]},
    }
    with v1.stream("POST", "/threads/runs", json=body) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = list(answer.iter_lines())
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    assert names[:2] == ["thread.created", "thread.run.created"]
    assert names[-2:] == ["thread.run.completed", "done"]
    data = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
    thread, *others = data
    assert set(thread) == {"id", "object", "created_at", "metadata"}
    for item in others:
        if item["object"] in ("thread.run", "thread.message"):
            assert item["file_ids"] == []
            assert not {"tool_resources", "attachments"} & set(item)
    assert lines[-2:] == ["data: [DONE]", ""] or lines[-1] == "data: [DONE]"


@pytest.mark.parametrize(
    ("path", "body", "param", "words"),
    [
        ("/assistants", {"model": "m", "tool_resources": {}}, "tool_resources", "Unknown parameter: 'tool_resources'."),
        (
            "/assistants",
            {"model": "m", "tools": [{"type": "file_search"}]},
            "tools[0].type",
            "Invalid value: 'file_search'. Supported values are: 'code_interpreter', 'retrieval', and 'function'.",
        ),
        (
            "/assistants",
            {"model": "m", "tools": [{"type": "x"}]},
            "tools[0].type",
            "Invalid value: 'x'. Supported values are: 'code_interpreter', 'retrieval', and 'function'.",
        ),
        (
            "/assistants",
            {"model": "m", "file_ids": "f"},
            "file_ids",
            "Invalid type for 'file_ids': expected an array of strings, but got a string instead.",
        ),
        (
            "/assistants",
            {"model": "m", "file_ids": [f"file-{n}" for n in range(21)]},
            "file_ids",
            (
                "Invalid 'file_ids': array too long. Expected an array with maximum length 20, "
                "but got an array with length 21 instead."
            ),
        ),
        (
            "/threads",
            {"messages": [{"role": "user", "content": "Hi", "file_ids": [1]}]},
            "messages[0].file_ids[0]",
            "Invalid type for 'messages[0].file_ids[0]': expected a string, but got an integer instead.",
        ),
        (
            "/threads",
            {"messages": [{"role": "user", "content": "Hi", "attachments": []}]},
            "messages[0].attachments",
            "Unknown parameter: 'messages[0].attachments'.",
        ),
    ],
)
def test_what_is_refused(v1: httpx2.Client, path: str, body: Any, param: str, words: str) -> None:
    answer = v1.post(path, json=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["message"], error["param"], error["type"]) == (words, param, "invalid_request_error")


def test_the_key_is_looked_at_before_the_body(locum: Locum) -> None:
    headers = {"OpenAI-Beta": "assistants=v1"}
    answer = httpx2.post(f"{locum.base_url}/assistants", json={"model": "m", "file_ids": 1}, headers=headers)
    assert answer.status_code == 401
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_what_is_no_object_is_refused_as_ever(v1: httpx2.Client) -> None:
    for path in ("/assistants", "/threads", "/threads/runs"):
        for content in (b"[1]", b"{", b'"x"'):
            answer = v1.post(path, content=content)
            assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


def test_v2_does_not_see_the_routes_of_v1(http: httpx2.Client, client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="m")
    answer = http.get(f"/assistants/{assistant.id}/files")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_url")


def test_other_projects_have_nothing_to_see(v1: httpx2.Client, locum: Locum) -> None:
    assistant = made(v1.post("/assistants", json={"model": "m"}))
    other = {"Authorization": f"Bearer {locum.new_project()}"}
    path = f"/assistants/{assistant['id']}"
    asked = [
        v1.get(path, headers=other),
        v1.get(f"{path}/files", headers=other),
        v1.post(f"{path}/files", headers=other, json={"file_id": "file-1"}),
        v1.delete(f"{path}/files/file-1", headers=other),
        v1.post(path, headers=other, json={"name": "x"}),
        v1.delete(path, headers=other),
    ]
    messages = {answer.json()["error"]["message"] for answer in asked}
    assert messages == {f"No assistant found with id '{assistant['id']}'."}
