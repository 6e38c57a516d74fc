"""What is put at the disposal of tools: by an assistant, by a thread, by a run that makes its thread."""

from typing import Any, Final

import pytest

from tests.compatibility.effects import shows_at
from tests.compatibility.telling import ASSISTANT, CHANGED_ASSISTANT, FAST, HELLO, THREAD_AND_RUN, Told
from tests.fakes.turns import Call, Turn
from tests.running import wait_for

_THREAD: Final = "POST /threads"
_CHANGED_THREAD: Final = "POST /threads/{thread_id}"
_MAKING: Final = ((ASSISTANT, ""), (_THREAD, ""), (THREAD_AND_RUN, "thread"))
_ALL: Final = (*_MAKING, (CHANGED_ASSISTANT, ""), (_CHANGED_THREAD, ""), (THREAD_AND_RUN, ""))
_TOOLS: Final[Any] = [{"type": "file_search"}, {"type": "code_interpreter"}]


def _run(told: Told, place: tuple[str, str], model: str, resources: Any) -> tuple[Any, Any]:
    """A run with these resources, given at `place`; and what is answered of them."""
    assistants, threads = told.client.beta.assistants, told.client.beta.threads
    given: Any = {"tool_resources": resources}
    nothing: Any = {}
    made = assistants.create(model=model, tools=_TOOLS, **(given if place[0] == ASSISTANT else nothing))
    if place[0] == CHANGED_ASSISTANT:
        assistants.update(made.id, **given)
    if place == (THREAD_AND_RUN, ""):
        run = threads.create_and_run_poll(assistant_id=made.id, thread={"messages": HELLO}, **given, **FAST)
        return run, run.to_dict()["tool_resources"]
    if place == (THREAD_AND_RUN, "thread"):
        with_them: Any = {"messages": HELLO, **given}
        run = threads.create_and_run_poll(assistant_id=made.id, thread=with_them, **FAST)
        return run, threads.retrieve(run.thread_id).to_dict()["tool_resources"]
    thread = threads.create(messages=HELLO, **(given if place[0] == _THREAD else nothing))
    if place[0] == _CHANGED_THREAD:
        threads.update(thread.id, **given)
    run = threads.runs.create_and_poll(thread_id=thread.id, assistant_id=made.id, **FAST)
    holder: Any = assistants.retrieve(made.id) if "assistants" in place[0] else threads.retrieve(thread.id)
    return run, holder.to_dict()["tool_resources"]


def _searching(told: Told) -> str:
    return told.model(Turn(tool_calls=[Call("file_search", {"queries": ["pizza"]})]), Turn(text="Pizza."))


@shows_at(
    _ALL,
    {
        "tool_resources": "what the tools may use; a store or file that is missing is refused",
        "tool_resources.code_interpreter": "files for the code",
        "tool_resources.code_interpreter.file_ids": "lie in `/mnt/data`, and the model is told of them",
        "tool_resources.file_search": "what is searched",
        "tool_resources.file_search.vector_store_ids": "the store that is searched",
    },
)
@pytest.mark.parametrize("place", _ALL, ids=" ".join)
def test_resources_reach_the_tools(told: Told, place: tuple[str, str]) -> None:
    store, file_id = told.store("Ada likes pizza."), told.file("a,b\n1,2\n", "table.csv")
    resources = {"code_interpreter": {"file_ids": [file_id]}, "file_search": {"vector_store_ids": [store]}}
    model = _searching(told)
    run, answered = _run(told, place, model, resources)
    assert answered == resources
    (found,) = told.results(run)
    assert found.file_name == "fact0.txt"
    assert "table.csv" in str(told.requests(model)[0]["messages"])


@shows_at(
    _MAKING,
    {
        "tool_resources.file_search.vector_stores": "a store is made of it, and answered by its id",
        "tool_resources.file_search.vector_stores.file_ids": "put into the store",
        "tool_resources.file_search.vector_stores.metadata": "kept with the store",
        "tool_resources.file_search.vector_stores.chunking_strategy": "how the files are cut",
        "tool_resources.file_search.vector_stores.chunking_strategy.type": "`auto` is 800 and 400 tokens",
        "tool_resources.file_search.vector_stores.chunking_strategy.static": "for `static`",
        "tool_resources.file_search.vector_stores.chunking_strategy.static.max_chunk_size_tokens": "of each chunk",
        "tool_resources.file_search.vector_stores.chunking_strategy.static.chunk_overlap_tokens": "of neighbours",
    },
)
@pytest.mark.parametrize("place", _MAKING, ids=" ".join)
def test_a_store_is_made_along_the_way(told: Told, place: tuple[str, str]) -> None:
    file_id = told.file("Ada likes pizza.")
    chunking = {"type": "static", "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 50}}
    wanted = {"file_ids": [file_id], "metadata": {"a": "b"}, "chunking_strategy": chunking}
    run, answered = _run(told, place, _searching(told), {"file_search": {"vector_stores": [wanted]}})
    (store,) = answered["file_search"]["vector_store_ids"]
    assert list(answered["file_search"]) == ["vector_store_ids"]
    stores = told.lenient.vector_stores
    assert stores.retrieve(store).metadata == {"a": "b"}
    wait_for(lambda: stores.files.retrieve(file_id, vector_store_id=store).status == "completed", "the file", 30)
    (file,) = stores.files.list(store).data
    assert (file.id, file.to_dict()["chunking_strategy"]) == (file_id, chunking)
    assert run.status == "completed"
