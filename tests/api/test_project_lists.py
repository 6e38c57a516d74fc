"""What Locum lists of a whole project: threads, and runs on whatever thread."""

import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from tests.conftest import BETA
from tests.fakes.completion_backend import Turn
from tests.running import Locum

Script = Callable[..., None]


@pytest.fixture
def project(locum: Locum) -> Any:
    """A project of the test's own: its client, and plain HTTP."""
    key = locum.new_project()
    headers = {"Authorization": f"Bearer {key}", **BETA}
    with locum.client(key) as client, httpx2.Client(base_url=locum.base_url, headers=headers, timeout=30) as http:
        yield client, http


def ids(http: httpx2.Client, path: str, **params: Any) -> list[str]:
    answer = http.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["data"]]


def run(client: OpenAI, model: str, question: str) -> Any:
    assistant = client.beta.assistants.create(model=model)
    return client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": question}]}
    )


def test_threads_with_their_newest_message_and_run(project: Any, script: Script, model: str) -> None:
    client, http = project
    script(Turn(text="It is\n\nnoon. " + "x" * 300))
    empty = client.beta.threads.create(metadata={"user": "ada"})
    ended = run(client, model, "What time is it?")
    answer = http.get("/threads").json()
    assert [thread["id"] for thread in answer["data"]] == [ended.thread_id, empty.id]
    assert (answer["first_id"], answer["last_id"], answer["has_more"]) == (ended.thread_id, empty.id, False)
    first, second = answer["data"]
    assert first["last_message"]["role"] == "assistant"
    assert first["last_message"]["text"] == ("It is noon. " + "x" * 300)[:200]
    assert first["last_run"] == {"id": ended.id, "status": "completed", "assistant_id": ended.assistant_id}
    assert second == {
        "id": empty.id,
        "object": "thread",
        "created_at": empty.created_at,
        "metadata": {"user": "ada"},
        "tool_resources": {},
        "last_message": None,
        "last_run": None,
    }


def test_lists_are_narrowed_by_filters(project: Any, script: Script, model: str) -> None:
    client, http = project
    script(Turn(text="Yes."), Turn(status=400, text="no"))
    good, bad = run(client, model, "One?"), run(client, model, "Two?")
    assert (good.status, bad.status) == ("completed", "failed")
    now = int(time.time())
    assert ids(http, "/runs") == [bad.id, good.id]
    assert ids(http, "/runs", status="completed") == [good.id]
    assert ids(http, "/runs", status=["completed", "failed"], order="asc") == [good.id, bad.id]
    assert ids(http, "/runs", assistant_id=bad.assistant_id) == [bad.id]
    assert ids(http, "/runs", thread_id=good.thread_id) == [good.id]
    assert ids(http, "/runs", created_after=now + 3600) == []
    assert ids(http, "/runs", created_before=now - 3600) == []
    assert ids(http, "/runs", limit=1, after=bad.id) == [good.id]
    assert ids(http, "/threads", assistant_id=good.assistant_id) == [good.thread_id]
    assert ids(http, "/threads", created_after=now - 3600, created_before=now + 3600, limit=1) == [bad.thread_id]


def test_another_project_has_its_own(project: Any, script: Script, model: str, other_client: OpenAI) -> None:
    _, http = project
    script(Turn(text="Yes."))
    theirs = run(other_client, model, "Ours?")
    for path in ("/threads", "/runs"):
        assert ids(http, path) == []
        assert ids(http, path, assistant_id=theirs.assistant_id) == []
    assert ids(http, "/runs", thread_id=theirs.thread_id) == []


@pytest.mark.parametrize(
    ("path", "params", "param"),
    [
        ("/runs", {"status": "done"}, "status"),
        ("/runs", {"created_after": "yesterday"}, "created_after"),
        ("/threads", {"created_before": -1}, "created_before"),
        ("/threads", {"limit": 101}, "limit"),
        ("/threads", {"after": "run_1"}, "after"),
    ],
)
def test_what_is_wrong_is_told(http: httpx2.Client, path: str, params: Any, param: str) -> None:
    answer = http.get(path, params=params)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"].startswith(param)
