"""Parameters of messages, wherever messages are made, and of threads."""

import base64
from typing import Any, Final

import pytest

from tests.compatibility.effects import shows, shows_at
from tests.compatibility.telling import FAST, RUN, THREAD_AND_RUN, Told
from tests.fakes.turns import Turn

_MESSAGE: Final = "POST /threads/{thread_id}/messages"
_THREAD: Final = "POST /threads"
_ALL: Final = ((_MESSAGE, ""), (_THREAD, "messages"), (RUN, "additional_messages"), (THREAD_AND_RUN, "thread.messages"))
_PLACES: Final = [place for place, _ in _ALL]
_PNG: Final = b"\x89PNG\r\n\x1a\n" + bytes(16)
_URL: Final = "https://example.com/cat.png"


def _runs(told: Told, place: str, model: str, messages: list[Any]) -> Any:
    """A run at its end, on a thread that has got `messages` by the operation `place`."""
    threads = told.client.beta.threads
    made: Any = {"assistant_id": told.client.beta.assistants.create(model=model).id, **FAST}
    if place == THREAD_AND_RUN:
        return threads.create_and_run_poll(**made, thread={"messages": messages})
    if place == RUN:
        return threads.runs.create_and_poll(**made, thread_id=threads.create().id, additional_messages=messages)
    thread = threads.create(messages=messages if place == _THREAD else [])
    for message in messages if place == _MESSAGE else ():
        threads.messages.create(thread.id, **message)
    return threads.runs.create_and_poll(**made, thread_id=thread.id)


@shows(_THREAD, {"messages": "added to the thread, in their order"})
@shows(RUN, {"additional_messages": "added to the thread before the run"})
@shows(THREAD_AND_RUN, {"thread": "made before the run", "thread.messages": "added to the thread, in their order"})
@shows_at(
    _ALL,
    {
        "role": "who said it: `user`, `assistant`",
        "content": "told to the model: text, or parts of text and images",
        "content.type": "`text`, `image_url`, `image_file`",
        "content.text": "told to the model",
        "content.image_url": "shown to models that see",
        "content.image_url.url": "given to the model server as it is",
        "content.image_url.detail": "told to the model server",
        "content.image_file": "shown to models that see",
        "content.image_file.file_id": "the image goes to the model server as a data URL",
        "content.image_file.detail": "told to the model server",
        "metadata": "kept and answered",
    },
)
@pytest.mark.parametrize("place", _PLACES)
def test_messages_reach_the_model(told: Told, place: str) -> None:
    image = told.client.files.create(file=("cat.png", _PNG), purpose="vision").id
    parts: Any = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": _URL, "detail": "low"}},
        {"type": "image_file", "image_file": {"file_id": image, "detail": "high"}},
    ]
    said: Any = [{"role": "assistant", "content": "Hello."}, {"role": "user", "content": parts, "metadata": {"a": "b"}}]
    model = told.model(Turn(text="A cat."))
    run = _runs(told, place, model, said)
    assert run.status == "completed"
    data = f"data:image/png;base64,{base64.b64encode(_PNG).decode()}"
    first, second = told.requests(model)[0]["messages"]
    assert first == {"role": "assistant", "content": "Hello."}
    assert second["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": _URL, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": data, "detail": "high"}},
    ]
    kept = told.client.beta.threads.messages.list(run.thread_id, order="asc").data
    assert [message.role for message in kept] == ["assistant", "user", "assistant"]
    assert kept[1].metadata == {"a": "b"}
    assert kept[1].to_dict()["content"][1:] == parts[1:]  # type: ignore[index]


@shows_at(
    _ALL,
    {
        "attachments": "files that the tools of the thread's runs may use",
        "attachments.file_id": "told to the model by its name",
        "attachments.tools": "which tools may use it",
        "attachments.tools.type": "`code_interpreter` has it as a file; `file_search` in a store of the thread",
    },
)
@pytest.mark.parametrize("place", _PLACES)
def test_attachments_reach_the_tools(told: Told, place: str) -> None:
    file_id = told.file("Ada likes pizza.", "foods.txt")
    attached: Any = {"file_id": file_id, "tools": [{"type": "code_interpreter"}, {"type": "file_search"}]}
    model = told.model(Turn(text="Pizza."))
    run = _runs(told, place, model, [{"role": "user", "content": "Hi", "attachments": [attached]}])
    assert "foods.txt" in str(told.requests(model)[0]["messages"])
    thread = told.client.beta.threads.retrieve(run.thread_id)
    resources: Any = thread.to_dict()["tool_resources"]
    assert resources["code_interpreter"]["file_ids"] == [file_id]
    (store,) = resources["file_search"]["vector_store_ids"]
    assert [file.id for file in told.client.vector_stores.files.list(store)] == [file_id]
    first = told.client.beta.threads.messages.list(run.thread_id, order="asc").data[0]
    assert first.to_dict()["attachments"] == [attached]


@shows("POST /threads/{thread_id}/messages/{message_id}", {"metadata": "replaced as a whole"})
@shows(_THREAD, {"metadata": "kept and answered"})
@shows("POST /threads/{thread_id}", {"metadata": "replaced as a whole"})
@shows(THREAD_AND_RUN, {"thread.metadata": "kept and answered"})
def test_metadata_is_kept(told: Told) -> None:
    threads = told.client.beta.threads
    thread = threads.create(metadata={"a": "b"}, messages=[{"role": "user", "content": "Hi"}])
    assert threads.retrieve(thread.id).metadata == {"a": "b"}
    threads.update(thread.id, metadata={"c": "d"})
    assert threads.retrieve(thread.id).metadata == {"c": "d"}
    (message,) = threads.messages.list(thread.id).data
    threads.messages.update(message.id, thread_id=thread.id, metadata={"e": "f"})
    assert threads.messages.retrieve(message.id, thread_id=thread.id).metadata == {"e": "f"}
    assistant = told.client.beta.assistants.create(model="echo", instructions="Say hello.")
    run = threads.create_and_run(assistant_id=assistant.id, thread={"metadata": {"g": "h"}})
    assert threads.retrieve(run.thread_id).metadata == {"g": "h"}
