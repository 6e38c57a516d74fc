"""What clients match on, word by word: the errors, the empty lists and the bare objects of the contract.

The tables are the contract's, sections 3, 5 and 12.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import httpx2
import pytest

from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Call, Turn
from tests.running import Locum, wait_for

_TOOL: Final = {"type": "function", "function": {"name": "look"}}
_HELLO: Final = {"role": "user", "content": "Hi"}


class Scene(NamedTuple):
    """Objects in all the states that errors speak of."""

    assistant: str
    #: With a run that has ended, by its id and that of its message.
    thread: str
    ended: str
    #: With a run that waits for the outputs of two calls.
    waiting_thread: str
    waiting: str
    first_call: str
    second_call: str
    #: With a run at work.
    busy_thread: str
    busy: str


@pytest.fixture(scope="module")
def scene(http: httpx2.Client, backend: CompletionBackend) -> Any:
    model, slow = "scripted-contract", "scripted-contract-slow"
    backend.script(model, Turn(text="Hi"), Turn(tool_calls=[Call("look"), Call("look")]))
    # It goes on speaking: one that is silent is given up, within the time that these tests may take.
    backend.script(slow, Turn(text=["a"] * 400, delay=0.5))

    def run(model: str, status: str) -> tuple[str, str, str]:
        assistant = http.post("/assistants", json={"model": model, "tools": [_TOOL]}).json()["id"]
        body = {"assistant_id": assistant, "thread": {"messages": [_HELLO]}}
        made = http.post("/threads/runs", json=body).json()
        path = f"/threads/{made['thread_id']}/runs/{made['id']}"
        wait_for(lambda: http.get(path).json()["status"] == status, status)
        return assistant, made["thread_id"], made["id"]

    _, thread, ended = run(model, "completed")
    assistant, waiting_thread, waiting = run(model, "requires_action")
    action = http.get(f"/threads/{waiting_thread}/runs/{waiting}").json()["required_action"]
    first, second = (call["id"] for call in action["submit_tool_outputs"]["tool_calls"])
    _, busy_thread, busy = run(slow, "in_progress")
    yield Scene(assistant, thread, ended, waiting_thread, waiting, first, second, busy_thread, busy)
    http.post(f"/threads/{busy_thread}/runs/{busy}/cancel")
    for name in (model, slow):
        backend.release(name)
        backend.forget(name)


class Refusal(NamedTuple):
    """A request, and the error that it is answered with: message, param, code."""

    method: str
    path: str
    body: Any
    status: int
    message: str
    param: str | None = None
    code: str | None = None


def _bad(path: str, body: Any, message: str, param: str | None, code: str | None) -> Refusal:
    return Refusal("POST", path, body, 400, message, param, code)


def _state(path: str, body: Any, message: str) -> Refusal:
    return Refusal("POST", path, body, 400, message)


def _missing(path: str, message: str, param: str | None = None, code: str | None = None) -> Refusal:
    return Refusal("GET", path, None, 404, message, param, code)


def _nested(**search: Any) -> Any:
    return {"model": "m", "tool_resources": {"file_search": search}}


#: Names in braces are those of `Scene`.
REFUSALS: Final = [
    _missing("/assistants/asst_none", "No assistant found with id 'asst_none'."),
    _missing("/threads/thread_none", "No thread found with id 'thread_none'."),
    _missing("/threads/{thread}/messages/msg_none", "No message found with id 'msg_none'."),
    _missing("/threads/{thread}/runs/run_none", "No run found with id 'run_none'."),
    _missing("/threads/{thread}/runs/{ended}/steps/step_none", "No run step found with id 'step_none'."),
    _missing("/vector_stores/vs_none", "No vector store found with id 'vs_none'."),
    _missing("/files/file-none", "No such File object: file-none", "id"),
    _missing("/files/fake_id", "No such File object: fake_id", "id"),
    _missing("/models/none", "The model 'none' does not exist", "model", "model_not_found"),
    Refusal(
        "GET",
        "/threads/undefined",
        None,
        400,
        "Invalid 'thread_id': 'undefined'. Expected an ID that begins with 'thread'.",
        "thread_id",
        "invalid_value",
    ),
    _bad(
        "/threads/{thread}/messages",
        {**_HELLO, "attachments": [{"file_id": "file-x"}]},
        "Missing required parameter: 'attachments[0].tools'.",
        "attachments[0].tools",
        "missing_required_parameter",
    ),
    _bad(
        "/threads/{thread}/messages",
        {**_HELLO, "file_ids": []},
        "Unknown parameter: 'file_ids'.",
        "file_ids",
        "unknown_parameter",
    ),
    _bad(
        "/threads/{thread}/messages",
        {**_HELLO, "attachments": [{"fileId": "file-x", "tools": []}]},
        "Unknown parameter: 'attachments[0].fileId'. Did you mean 'file_id'?",
        "attachments[0].fileId",
        "unknown_parameter",
    ),
    _bad(
        "/threads/{thread}/messages",
        {**_HELLO, "attachments": [{"file_id": "file-x", "tools": [{"type": "file_search", "file_search": {}}]}]},
        "Unknown parameter: 'attachments[0].tools[0].file_search'.",
        "attachments[0].tools[0].file_search",
        "unknown_parameter",
    ),
    _bad(
        "/threads",
        {"metadata": {"modified": True}},
        "Invalid type for 'metadata.modified': expected a string, but got a boolean instead.",
        "metadata.modified",
        "invalid_type",
    ),
    _bad(
        "/assistants",
        _nested(vector_store_ids="vs_1"),
        "Invalid type for 'tool_resources.file_search.vector_store_ids': expected an array of strings, "
        "but got a string instead.",
        "tool_resources.file_search.vector_store_ids",
        "invalid_type",
    ),
    _bad(
        "/threads/{thread}/messages",
        {"role": "system", "content": "Hi"},
        "Invalid value: 'system'. Supported values are: 'user' and 'assistant'.",
        "role",
        "invalid_value",
    ),
    _bad(
        "/threads/{thread}/runs",
        {"assistant_id": "{assistant}", "max_prompt_tokens": 10},
        "Invalid 'max_prompt_tokens': integer below minimum value. Expected a value >= 256, but got 10 instead.",
        "max_prompt_tokens",
        "integer_below_min_value",
    ),
    _state(
        "/threads/{busy_thread}/messages",
        _HELLO,
        "Can't add messages to {busy_thread} while a run {busy} is active.",
    ),
    _state(
        "/threads/{waiting_thread}/messages",
        _HELLO,
        "Can't add messages to {waiting_thread} while a run {waiting} is active.",
    ),
    _state(
        "/threads/{busy_thread}/runs",
        {"assistant_id": "{assistant}"},
        "Thread {busy_thread} already has an active run {busy}.",
    ),
    _state(
        "/threads/{busy_thread}/runs/{busy}/submit_tool_outputs",
        {"tool_outputs": []},
        'Runs in status "in_progress" do not accept tool outputs.',
    ),
    _state(
        "/threads/{thread}/runs/{ended}/submit_tool_outputs",
        {"tool_outputs": []},
        'Runs in status "completed" do not accept tool outputs.',
    ),
    _state(
        "/threads/{waiting_thread}/runs/{waiting}/submit_tool_outputs",
        {"tool_outputs": [{"tool_call_id": "{first_call}", "output": "x"}]},
        "Expected tool outputs for call_ids ['{first_call}', '{second_call}'], got ['{first_call}']",
    ),
    _state("/threads/{thread}/runs/{ended}/cancel", None, "Cannot cancel run with status 'completed'."),
    _state("/threads/{busy_thread}/runs/{busy}", {"metadata": {}}, "Cannot update run with status 'in_progress'."),
    # What is wrong with a request is said before what is wrong with its time.
    _bad(
        "/threads/{busy_thread}/runs/{busy}",
        {"metadata": {"modified": True}},
        "Invalid type for 'metadata.modified': expected a string, but got a boolean instead.",
        "metadata.modified",
        "invalid_type",
    ),
]


def _filled(value: Any, scene: Scene) -> Any:
    if isinstance(value, str):
        for name, found in scene._asdict().items():
            value = value.replace(f"{{{name}}}", found)
        return value
    if isinstance(value, list):
        return [_filled(inner, scene) for inner in value]
    return {name: _filled(inner, scene) for name, inner in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.message[:60])
def test_errors_are_told_word_by_word(http: httpx2.Client, scene: Scene, refusal: Refusal) -> None:
    answer = http.request(refusal.method, _filled(refusal.path, scene), json=_filled(refusal.body, scene))
    assert answer.json() == {
        "error": {
            "message": _filled(refusal.message, scene),
            "type": "invalid_request_error",
            "param": refusal.param,
            "code": refusal.code,
        }
    }
    assert answer.status_code == refusal.status


def test_a_purpose_that_is_none(http: httpx2.Client) -> None:
    error = http.post("/files", data={"purpose": "x"}, files={"file": ("a.txt", b"a")}).json()["error"]
    purposes = "['fine-tune', 'assistants', 'batch', 'user_data', 'vision', 'evals']"
    assert (error["message"], error["param"]) == (f"'x' is not one of {purposes} - 'purpose'", "purpose")


def _of(http: httpx2.Client, path: str, **body: Any) -> str:
    return f"{path}/{http.post(path, json=body).json()['id']}"


def _run_of(http: httpx2.Client) -> str:
    """A run that has come to no step: its model is none that can be asked."""
    assistant = http.post("/assistants", json={"model": "m"}).json()["id"]
    thread = _of(http, "/threads", messages=[_HELLO])
    run = _of(http, f"{thread}/runs", assistant_id=assistant, instructions="word " * 400, max_prompt_tokens=256)
    wait_for(lambda: http.get(run).json()["status"] == "incomplete", "the run")
    return run


_EMPTY: Final[dict[str, Callable[[httpx2.Client], str]]] = {
    "assistants": lambda _: "/assistants",
    "messages": lambda http: f"{_of(http, '/threads')}/messages",
    "runs": lambda http: f"{_of(http, '/threads')}/runs",
    "steps": lambda http: f"{_run_of(http)}/steps",
    "files": lambda _: "/files",
    "vector_stores": lambda _: "/vector_stores",
    "store_files": lambda http: f"{_of(http, '/vector_stores')}/files",
}


@pytest.mark.parametrize("name", _EMPTY)
def test_empty_lists(locum: Locum, name: str) -> None:
    headers = {"Authorization": f"Bearer {locum.new_project()}", "OpenAI-Beta": "assistants=v2"}
    with httpx2.Client(base_url=locum.base_url, headers=headers, timeout=30) as http:
        answer = http.get(_EMPTY[name](http))
    assert answer.json() == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


def _check(answer: httpx2.Response, prefix: str, **expected: Any) -> None:
    """The fields of a new object, their order and their values; `...` is any time, in whole seconds."""
    found = answer.json()
    assert found["id"].startswith(prefix)
    assert list(found) == ["id", *expected] or list(found) == ["object", "id", *(n for n in expected if n != "object")]
    times = [found[name] for name, value in expected.items() if value is ...]
    assert all(isinstance(time, int) for time in times)
    assert {name: ... if expected[name] is ... else value for name, value in found.items() if name != "id"} == expected


def test_bare_assistants(http: httpx2.Client) -> None:
    _check(
        http.post("/assistants", json={"model": "m"}),
        "asst_",
        object="assistant",
        created_at=...,
        name=None,
        description=None,
        model="m",
        instructions=None,
        tools=[],
        top_p=1.0,
        temperature=1.0,
        reasoning_effort=None,
        tool_resources={},
        metadata={},
        response_format="auto",
    )


def test_bare_threads_messages_and_runs(http: httpx2.Client) -> None:
    made = http.post("/threads")
    _check(made, "thread_", object="thread", created_at=..., metadata={}, tool_resources={})
    thread = made.json()["id"]
    _check(
        http.post(f"/threads/{thread}/messages", json=_HELLO),
        "msg_",
        object="thread.message",
        created_at=...,
        assistant_id=None,
        thread_id=thread,
        run_id=None,
        status="completed",
        incomplete_details=None,
        completed_at=...,
        incomplete_at=None,
        role="user",
        content=[{"type": "text", "text": {"value": "Hi", "annotations": []}}],
        attachments=[],
        metadata={},
    )
    assistant = http.post("/assistants", json={"model": "echo"}).json()["id"]
    run = http.post(f"/threads/{thread}/runs", json={"assistant_id": assistant})
    assert run.json()["expires_at"] == run.json()["created_at"] + 600
    _check(
        run,
        "run_",
        object="thread.run",
        created_at=...,
        assistant_id=assistant,
        thread_id=thread,
        status="queued",
        started_at=None,
        expires_at=...,
        cancelled_at=None,
        failed_at=None,
        completed_at=None,
        required_action=None,
        last_error=None,
        model="echo",
        instructions=None,
        tools=[],
        tool_resources={},
        metadata={},
        temperature=1.0,
        top_p=1.0,
        reasoning_effort=None,
        max_completion_tokens=None,
        max_prompt_tokens=None,
        truncation_strategy={"type": "auto", "last_messages": None},
        incomplete_details=None,
        usage=None,
        response_format="auto",
        tool_choice="auto",
        parallel_tool_calls=True,
    )


def test_bare_steps(http: httpx2.Client, scene: Scene) -> None:
    (step,) = http.get(f"/threads/{scene.thread}/runs/{scene.ended}/steps").json()["data"]
    run = http.get(f"/threads/{scene.thread}/runs/{scene.ended}").json()
    assert run["expires_at"] is None
    _check(
        http.get(f"/threads/{scene.thread}/runs/{scene.ended}/steps/{step['id']}"),
        "step_",
        object="thread.run.step",
        created_at=...,
        run_id=scene.ended,
        assistant_id=run["assistant_id"],
        thread_id=scene.thread,
        type="message_creation",
        status="completed",
        cancelled_at=None,
        completed_at=...,
        expires_at=None,
        expired_at=None,
        failed_at=None,
        last_error=None,
        step_details=step["step_details"],
        usage=run["usage"],
        metadata={},
    )
    assert run["usage"] == {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "prompt_token_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def test_bare_files_and_stores(http: httpx2.Client) -> None:
    file = http.post("/files", data={"purpose": "assistants"}, files={"file": ("a.txt", b"a")})
    about = {"purpose": "assistants", "filename": "a.txt", "bytes": 1}
    _check(
        file,
        "file-",
        object="file",
        **about,
        created_at=...,
        expires_at=None,
        status="processed",
        status_details=None,
    )
    counts = {"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0, "total": 0}
    store = http.post("/vector_stores")
    _check(
        store,
        "vs_",
        object="vector_store",
        created_at=...,
        name=None,
        description=None,
        usage_bytes=0,
        file_counts=counts,
        status="completed",
        expires_after=None,
        expires_at=None,
        last_active_at=...,
        metadata={},
    )
    store_id = store.json()["id"]
    chunking = {"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}}
    put = http.post(f"/vector_stores/{store_id}/files", json={"file_id": file.json()["id"]})
    assert put.json()["id"] == file.json()["id"]
    _check(
        put,
        "file-",
        object="vector_store.file",
        usage_bytes=0,
        created_at=...,
        vector_store_id=store_id,
        status="in_progress",
        last_error=None,
        chunking_strategy=chunking,
        attributes={},
    )


def test_messages_of_one_call_share_their_second_and_keep_their_order(http: httpx2.Client) -> None:
    messages = [{"role": "user", "content": str(number)} for number in range(5)]
    thread = http.post("/threads", json={"messages": messages}).json()
    listed = http.get(f"/threads/{thread['id']}/messages?order=asc").json()["data"]
    assert [message["content"][0]["text"]["value"] for message in listed] == list("01234")
    assert {message["created_at"] for message in listed} == {thread["created_at"]}


@pytest.mark.parametrize("null", ["name", "description", "instructions"])
def test_null_clears_and_absence_does_not(http: httpx2.Client, null: str) -> None:
    names = {"name": "Ada", "description": "Counts.", "instructions": "Count."}
    assistant = http.post("/assistants", json={"model": "m", **names}).json()
    changed = http.post(f"/assistants/{assistant['id']}", json={null: None}).json()
    assert changed == {**assistant, null: None}


@pytest.mark.parametrize("path", ["/assistants", "/threads", "/vector_stores"])
def test_null_metadata_is_stored_as_none(http: httpx2.Client, path: str) -> None:
    made = http.post(path, json={"model": "m", "metadata": None} if path == "/assistants" else {"metadata": None})
    assert made.json()["metadata"] == {}
    kept = http.post(f"{path}/{made.json()['id']}", json={"metadata": {"a": "b"}}).json()
    assert kept["metadata"] == {"a": "b"}
    assert http.post(f"{path}/{made.json()['id']}", json={}).json()["metadata"] == {"a": "b"}
    assert http.post(f"{path}/{made.json()['id']}", json={"metadata": None}).json()["metadata"] == {}
