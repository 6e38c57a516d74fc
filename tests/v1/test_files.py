"""`retrieval`, and files of assistants and messages."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from tests.fakes.turns import Turn
from tests.running import wait_for
from tests.v1.test_shapes import made

RETRIEVAL: Any = [{"type": "retrieval"}]
CODE: Any = [{"type": "code_interpreter"}]


@pytest.fixture
def files(client: OpenAI) -> list[str]:
    """Three small files."""
    return [
        client.files.create(file=(f"{n}.txt", f"The number is {n}.".encode()), purpose="assistants").id
        for n in range(3)
    ]


def stores(client: OpenAI, assistant_id: str) -> Any:
    """The ids of the vector stores of an assistant."""
    resources: Any = client.beta.assistants.retrieve(assistant_id).to_dict()["tool_resources"]
    return resources["file_search"]["vector_store_ids"]


def stored(client: OpenAI, assistant_id: str) -> list[str]:
    """The files in the vector store of an assistant."""
    (store_id,) = stores(client, assistant_id)
    return [file.id for file in client.vector_stores.files.list(store_id, order="asc")]


def test_the_files_of_an_assistant_with_retrieval(v1: httpx2.Client, client: OpenAI, files: list[str]) -> None:
    assistant = made(v1.post("/assistants", json={"model": "m", "tools": RETRIEVAL, "file_ids": files[:2]}))
    assert (assistant["tools"], assistant["file_ids"]) == (RETRIEVAL, files[:2])
    path = f"/assistants/{assistant['id']}"
    assert client.beta.assistants.retrieve(assistant["id"]).tools[0].type == "file_search"
    assert stored(client, assistant["id"]) == files[:2]

    added = made(v1.post(f"{path}/files", json={"file_id": files[2]}))
    expected = {"id": files[2], "object": "assistant.file", "assistant_id": assistant["id"]}
    assert added == expected | {"created_at": added["created_at"]}
    assert made(v1.get(f"{path}/files/{files[2]}")) == added
    assert made(v1.get(path))["file_ids"] == files == stored(client, assistant["id"])
    assert [one["id"] for one in made(v1.get(f"{path}/files?limit=2"))["data"]] == [files[2], files[1]]
    page = made(v1.get(f"{path}/files?order=asc&limit=1&after={files[0]}"))
    assert ([one["id"] for one in page["data"]], page["has_more"]) == ([files[1]], True)

    deleted = made(v1.delete(f"{path}/files/{files[0]}"))
    assert deleted == {"id": files[0], "object": "assistant.file.deleted", "deleted": True}
    assert v1.get(f"{path}/files/{files[0]}").status_code == 404
    assert made(v1.get(path))["file_ids"] == files[1:] == stored(client, assistant["id"])
    assert made(v1.post(path, json={"file_ids": files[:1]}))["file_ids"] == files[:1] == stored(client, assistant["id"])
    assert made(v1.post(path, json={"name": "N"}))["file_ids"] == files[:1]

    (store_id,) = stores(client, assistant["id"])
    made(v1.delete(path))
    assert v1.get(f"/vector_stores/{store_id}").status_code == 404


def test_files_go_where_the_tools_see_them(v1: httpx2.Client, client: OpenAI, files: list[str]) -> None:
    def resources() -> Any:
        return client.beta.assistants.retrieve(assistant["id"]).to_dict()["tool_resources"]

    assistant = made(v1.post("/assistants", json={"model": "m", "tools": CODE, "file_ids": files[:2]}))
    path = f"/assistants/{assistant['id']}"
    assert resources() == {"code_interpreter": {"file_ids": files[:2]}}
    both = made(v1.post(path, json={"tools": CODE + RETRIEVAL}))
    assert (both["tools"], both["file_ids"]) == (CODE + RETRIEVAL, files[:2])
    assert resources()["code_interpreter"] == {"file_ids": files[:2]}
    assert stored(client, assistant["id"]) == files[:2]
    assert made(v1.post(path, json={"tools": RETRIEVAL}))["file_ids"] == files[:2]
    assert "code_interpreter" not in resources()
    (store_id,) = resources()["file_search"]["vector_store_ids"]
    without = made(v1.post(path, json={"tools": []}))
    assert without["file_ids"] == files[:2]
    assert resources() == {"code_interpreter": {"file_ids": files[:2]}}
    assert v1.get(f"/vector_stores/{store_id}").status_code == 404


def test_a_store_made_by_v2_is_shown_and_left_alone(v1: httpx2.Client, client: OpenAI, files: list[str]) -> None:
    store = client.vector_stores.create(name="Of v2", file_ids=files)
    assistant = client.beta.assistants.create(
        model="m",
        tools=[{"type": "file_search"}],
        tool_resources={"file_search": {"vector_store_ids": [store.id]}},
    )
    path = f"/assistants/{assistant.id}"
    assert made(v1.get(path))["file_ids"] == files
    assert made(v1.post(path, json={"tools": RETRIEVAL, "file_ids": files}))["file_ids"] == files
    assert stores(client, assistant.id) == [store.id]
    assert made(v1.post(path, json={"file_ids": files[:1]}))["file_ids"] == files[:1] == stored(client, assistant.id)
    assert [file.id for file in client.vector_stores.files.list(store.id, order="asc")] == files


def test_the_files_of_a_message(v1: httpx2.Client, client: OpenAI, files: list[str]) -> None:
    body = {"messages": [{"role": "user", "content": "Hi", "file_ids": [files[0], files[0], files[1]]}]}
    thread = made(v1.post("/threads", json=body))
    at = f"/threads/{thread['id']}/messages"
    (message,) = made(v1.get(at))["data"]
    assert message["file_ids"] == files[:2]
    listed = made(v1.get(f"{at}/{message['id']}/files?order=asc"))["data"]
    expected = {"id": files[0], "object": "thread.message.file", "message_id": message["id"]}
    assert listed[0] == expected | {"created_at": listed[0]["created_at"]}
    assert [one["id"] for one in listed] == files[:2]
    assert made(v1.get(f"{at}/{message['id']}/files/{files[0]}")) == listed[0]
    assert v1.get(f"{at}/{message['id']}/files/{files[2]}").status_code == 404
    as_v2 = client.beta.threads.messages.retrieve(message["id"], thread_id=thread["id"])
    assert [one.file_id for one in as_v2.attachments or ()] == files[:2]


def test_a_file_that_is_not_there(v1: httpx2.Client) -> None:
    body = {"model": "m", "tools": RETRIEVAL, "file_ids": ["file-none"]}
    for answer in (
        v1.post("/assistants", json=body),
        v1.post("/threads", json={"messages": [{"role": "user", "content": "Hi", "file_ids": ["file-none"]}]}),
    ):
        assert answer.status_code == 404
        assert answer.json()["error"]["message"] == "No such File object: file-none"


def test_a_run_that_retrieves(v1: httpx2.Client, files: list[str], model: str, script: Callable[..., None]) -> None:
    script(Turn(text=("It is 1.",)), repeat=True)
    assistant = made(v1.post("/assistants", json={"model": model, "tools": RETRIEVAL, "file_ids": files[:2]}))
    thread = {"messages": [{"role": "user", "content": "Which number?"}]}
    run = made(v1.post("/threads/runs", json={"assistant_id": assistant["id"], "thread": thread}))
    assert (run["tools"], run["file_ids"]) == (RETRIEVAL, files[:2])
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    wait_for(lambda: made(v1.get(path))["status"] == "completed", "the run", 30)
