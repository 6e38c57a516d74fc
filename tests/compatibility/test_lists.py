"""Parameters of lists."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.compatibility.effects import shows, shows_at
from tests.compatibility.telling import FAST, HELLO, Told
from tests.fakes.turns import Call, Turn

#: A list, as a function of its parameters; there are three things in it.
List = Callable[..., Any]


def _assistants(told: Told) -> List:
    for _ in range(3):
        told.client.beta.assistants.create(model="echo")
    return told.client.beta.assistants.list


def _messages(told: Told) -> List:
    threads = told.client.beta.threads
    thread = threads.create(messages=HELLO * 3)
    return lambda **query: threads.messages.list(thread.id, **query)


def _runs(told: Told) -> List:
    threads = told.client.beta.threads
    thread, assistant = threads.create(messages=HELLO), told.client.beta.assistants.create(model="echo")
    for _ in range(3):
        threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id, **FAST)
    return lambda **query: threads.runs.list(thread.id, **query)


def _steps(told: Told) -> List:
    search = Turn(tool_calls=[Call("file_search", {"queries": ["x"]})])
    assistant = told.client.beta.assistants.create(
        model=told.model(search, search, Turn(text="Nothing.")), tools=[{"type": "file_search"}]
    )
    threads = told.client.beta.threads
    run = threads.create_and_run_poll(assistant_id=assistant.id, thread={"messages": HELLO}, **FAST)
    return lambda **query: threads.runs.steps.list(run.id, thread_id=run.thread_id, **query)


def _files(told: Told) -> List:
    for text in "abc":
        told.file(text)
    return told.client.files.list


def _stores(told: Told) -> List:
    for name in "abc":
        told.client.vector_stores.create(name=name)
    return told.client.vector_stores.list


def _store_files(told: Told) -> List:
    store = told.store("a", "b", "c")
    return lambda **query: told.client.vector_stores.files.list(store, **query)


def _batch_files(told: Told) -> List:
    store = told.client.vector_stores.create(name="facts").id
    file_ids = [told.file(text) for text in "abc"]
    batch = told.lenient.vector_stores.file_batches.create_and_poll(store, file_ids=file_ids, **FAST)
    place: Any = {"batch_id": batch.id, "vector_store_id": store}
    return lambda **query: told.client.vector_stores.file_batches.list_files(**place, **query)


_STORE_FILES: Final = "GET /vector_stores/{vector_store_id}/files"
_BATCH_FILES: Final = "GET /vector_stores/{vector_store_id}/file_batches/{batch_id}/files"
_LISTS: Final[dict[str, Callable[[Told], List]]] = {
    "GET /assistants": _assistants,
    "GET /threads/{thread_id}/messages": _messages,
    "GET /threads/{thread_id}/runs": _runs,
    "GET /threads/{thread_id}/runs/{run_id}/steps": _steps,
    "GET /files": _files,
    "GET /vector_stores": _stores,
    _STORE_FILES: _store_files,
    _BATCH_FILES: _batch_files,
}
_WITH_BEFORE: Final = [place for place in _LISTS if place != "GET /files"]


@shows_at(
    tuple((place, "") for place in _LISTS),
    {
        "after": "the page behind this object",
        "limit": "so many objects at most",
        "order": "`asc` or `desc`, by the time of creation",
    },
)
@shows_at(tuple((place, "") for place in _WITH_BEFORE), {"before": "the page that ends before this object"})
@pytest.mark.parametrize("place", _LISTS)
def test_lists_are_paged(told: Told, place: str) -> None:
    listed = _LISTS[place](told)

    def ids(**query: Any) -> list[str]:
        return [item.id for item in listed(**query).data]

    everything = ids(order="asc")
    assert len(everything) >= 3
    assert ids(order="desc") == everything[::-1] == ids()
    assert ids(limit=1) == everything[-1:]
    assert ids(order="asc", after=everything[0]) == everything[1:]
    if place in _WITH_BEFORE:
        assert ids(order="asc", before=everything[-1]) == everything[:-1]


@shows_at(((_STORE_FILES, ""), (_BATCH_FILES, "")), {"filter": "those of this status"})
@pytest.mark.parametrize("place", [_STORE_FILES, _BATCH_FILES])
def test_files_are_listed_by_status(told: Told, place: str) -> None:
    listed = _LISTS[place](told)
    assert [len(listed(filter=status).data) for status in ("completed", "failed")] == [3, 0]


@shows("GET /threads/{thread_id}/messages", {"run_id": "those that this run has written"})
def test_messages_are_listed_by_run(told: Told) -> None:
    threads = told.client.beta.threads
    assistant = told.client.beta.assistants.create(model="echo")
    run = threads.create_and_run_poll(assistant_id=assistant.id, thread={"messages": HELLO}, **FAST)
    assert [message.role for message in threads.messages.list(run.thread_id, run_id=run.id)] == ["assistant"]


@shows("GET /files", {"purpose": "those of this purpose"})
def test_files_are_listed_by_purpose(told: Told) -> None:
    told.file("a")
    mine = told.file("b", purpose="vision")
    assert [file.id for file in told.client.files.list(purpose="vision")] == [mine]
