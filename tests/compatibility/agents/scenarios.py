"""Scenarios that call every method of Azure's client for agents. Each says what it expects of the answers."""

import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from azure.ai.agents.models import (
    AsyncFunctionTool,
    AsyncToolSet,
    CodeInterpreterTool,
    FilePurpose,
    FileSearchTool,
    FunctionTool,
    ListSortOrder,
    MessageAttachment,
    MessageRole,
    RunStatus,
    ToolSet,
)
from azure.core.rest import HttpRequest

from tests.compatibility.agents.calling import AgentsCaller
from tests.fakes.turns import Call, Turn

_TEXT = "Ada likes pizza with pineapple."
_HELLO: Any = [{"role": "user", "content": "Hi"}]
_FAST: Any = {"polling_interval": 0.05}
_SEARCH = Call("file_search", {"queries": ["pizza"]})


def get_weather(city: str) -> str:
    """Returns the weather.

    :param city: where
    """
    return f"It rains in {city}."


_LOOK = Call("get_weather", {"city": "Oslo"})


async def agents(call: AgentsCaller) -> None:
    made = await call("create_agent", model="m", name="Ada", instructions="Help.", metadata={"a": "b"}, temperature=0.5)
    assert (made.name, made.instructions, made.metadata, made.tools) == ("Ada", "Help.", {"a": "b"}, [])
    assert made.created_at.year > 2000
    assert (await call("get_agent", made.id)).as_dict() == made.as_dict()
    assert (await call("update_agent", made.id, name="Bea")).name == "Bea"
    listed = await call("list_agents", limit=1, order=ListSortOrder.DESCENDING)
    assert made.id in [agent.id for agent in listed]
    assert await call("delete_agent", made.id) is None
    answer = await call("send_request", HttpRequest("GET", f"{{endpoint}}/assistants/{made.id}?api-version=v1"))
    assert answer.status_code == 404


async def threads(call: AgentsCaller) -> None:
    made = await call("threads.create", messages=_HELLO, metadata={"a": "b"})
    assert (await call("threads.get", made.id)).metadata == {"a": "b"}
    assert (await call("threads.update", made.id, metadata={"c": "d"})).metadata == {"c": "d"}
    assert made.id in [thread.id for thread in await call("threads.list", limit=5)]
    message = await call("messages.create", made.id, role=MessageRole.USER, content="Once more")
    assert (await call("messages.get", made.id, message.id)).content[0].text.value == "Once more"
    changed = await call("messages.update", made.id, message.id, metadata={"e": "f"})
    assert changed.metadata == {"e": "f"}
    pages = await call("messages.list", made.id, limit=1, order=ListSortOrder.ASCENDING)
    assert [shown.text_messages[0].text.value for shown in pages] == ["Hi", "Once more"]
    last = await call("messages.get_last_message_by_role", made.id, MessageRole.USER)
    assert last.id == message.id
    text = await call("messages.get_last_message_text_by_role", made.id, MessageRole.USER)
    assert text.text.value == "Once more"
    assert await call("threads.delete", made.id) is None


async def _ready(call: AgentsCaller, *turns: Turn, **options: Any) -> tuple[str, str]:
    """The ids of a thread and of an agent that answers with `turns`."""
    agent = await call("create_agent", model=call.model(*turns), **options)
    thread = await call("threads.create", messages=_HELLO)
    return thread.id, agent.id


async def runs(call: AgentsCaller) -> None:
    thread, agent = await _ready(
        call, Turn(text="Hello."), Turn(tool_calls=[_LOOK]), tools=_functions(call).definitions
    )
    done = await call("runs.create_and_process", thread, agent_id=agent, **_FAST)
    assert (done.status, done.last_error, done.usage.total_tokens > 0) == (RunStatus.COMPLETED, None, True)
    assert (await call("runs.get", thread, done.id)).status == RunStatus.COMPLETED
    assert (await call("runs.update", thread, done.id, metadata={"a": "b"})).metadata == {"a": "b"}
    assert [run.id for run in await call("runs.list", thread)] == [done.id]
    (step,) = await call("run_steps.list", thread, done.id)
    assert step.type == "message_creation"
    assert (await call("run_steps.get", thread, done.id, step.id)).as_dict() == step.as_dict()
    made = await call("runs.create", thread, agent_id=agent)
    while made.status in (RunStatus.QUEUED, RunStatus.IN_PROGRESS):
        made = await call("runs.get", thread, made.id)
    assert made.status == RunStatus.REQUIRES_ACTION
    assert (await call("runs.cancel", thread, made.id)).status in (RunStatus.CANCELLING, RunStatus.CANCELLED)


def _functions(call: AgentsCaller) -> Any:
    return (FunctionTool if call.kind == "sync" else AsyncFunctionTool)({get_weather})


async def functions_are_called(call: AgentsCaller) -> None:
    toolset: Any = ToolSet() if call.kind == "sync" else AsyncToolSet()
    toolset.add(_functions(call))
    find_it = (Turn(tool_calls=[_LOOK]), Turn(text="Rain."))
    thread, agent = await _ready(call, *find_it, *find_it, *find_it, *find_it, toolset=toolset)
    await call("enable_auto_function_calls", toolset)
    done = await call("runs.create_and_process", thread, agent_id=agent, toolset=toolset, **_FAST)
    assert done.status == RunStatus.COMPLETED
    assert call.backend.requests(done.model)[-1]["messages"][-1]["content"] == "It rains in Oslo."
    events = await call.events("runs.stream", thread, agent_id=agent)
    names = [name for name, _ in events]
    assert names.count("done") == 2
    assert "thread.run.requires_action" in names
    assert _said(events) == "Rain."
    alone = {"agent_id": agent, "thread": {"messages": _HELLO}}
    done = await call("create_thread_and_process_run", **alone, **_FAST)
    assert done.status == RunStatus.COMPLETED
    queued = await call("create_thread_and_run", **alone)
    assert queued.status == RunStatus.QUEUED


def _said(events: list[tuple[str, Any]]) -> str:
    return "".join(data.text for name, data in events if name == "thread.message.delta")


async def functions_by_hand(call: AgentsCaller) -> None:
    twice = (Turn(tool_calls=[_LOOK]), Turn(tool_calls=[_LOOK]), Turn(text="Rain."))
    thread, agent = await _ready(call, *twice, tools=_by_hand().definitions)
    run = await call("runs.create", thread, agent_id=agent)
    while run.status in (RunStatus.QUEUED, RunStatus.IN_PROGRESS):
        run = await call("runs.get", thread, run.id)
    assert run.status == RunStatus.REQUIRES_ACTION
    again = await call("runs.submit_tool_outputs", thread, run.id, tool_outputs=_outputs(run))
    while again.status in (RunStatus.QUEUED, RunStatus.IN_PROGRESS):
        again = await call("runs.get", thread, run.id)
    handler = call.handler()
    await call("runs.submit_tool_outputs_stream", thread, run.id, tool_outputs=_outputs(again), event_handler=handler)
    if call.kind == "sync":
        handler.until_done()
    else:
        await handler.until_done()
    assert (await call("runs.get", thread, run.id)).status == RunStatus.COMPLETED


def _by_hand() -> FunctionTool:
    return FunctionTool({get_weather})


def _outputs(run: Any) -> Any:
    return [
        {"tool_call_id": asked.id, "output": "Rain."} for asked in run.required_action.submit_tool_outputs.tool_calls
    ]


async def files(call: AgentsCaller) -> None:
    made = await call("files.upload", file=("a.txt", _TEXT.encode()), purpose=FilePurpose.AGENTS)
    assert (made.filename, made.bytes, made.purpose) == ("a.txt", len(_TEXT), FilePurpose.AGENTS)
    assert (await call("files.get", made.id)).as_dict() == made.as_dict()
    assert made.id in [file.id for file in (await call("files.list", purpose=FilePurpose.AGENTS)).data]
    assert b"".join(await call("files.get_content", made.id)).decode() == _TEXT
    with tempfile.TemporaryDirectory() as folder:
        await call("files.save", made.id, "copy.txt", folder)
        copy = Path(folder) / "copy.txt"
        assert copy.read_text() == _TEXT
        again = await call("files.upload_and_poll", file_path=str(copy), purpose=FilePurpose.AGENTS, **_FAST)
    assert (again.filename, again.status) == ("copy.txt", "processed")
    # The asynchronous client cannot send bytes that have no name.
    nameless: Any = _TEXT.encode() if call.kind == "sync" else ("other.txt", _TEXT.encode())
    named = await call("files.upload", file=nameless, purpose="assistants", filename="named.txt")
    assert named.filename == "named.txt"
    assert await call("files.delete", made.id) is None


async def vector_stores(call: AgentsCaller) -> None:
    file = await call("files.upload", file=("a.txt", _TEXT.encode()), purpose=FilePurpose.AGENTS)
    made = await call("vector_stores.create", name="facts")
    assert (await call("vector_stores.get", made.id)).name == "facts"
    assert (await call("vector_stores.modify", made.id, name="foods")).name == "foods"
    assert made.id in [store.id for store in await call("vector_stores.list", limit=5)]
    ready = await call("vector_store_files.create_and_poll", made.id, file_id=file.id, **_FAST)
    assert (ready.status, ready.last_error) == ("completed", None)
    assert (await call("vector_store_files.get", made.id, file.id)).status == "completed"
    assert [found.id for found in await call("vector_store_files.list", made.id)] == [file.id]
    await call("vector_store_files.delete", made.id, file.id)
    assert (await call("vector_store_files.create", made.id, file_id=file.id)).id == file.id
    await call("vector_store_files.delete", made.id, file.id)
    place = {"file_ids": [file.id]}
    batch = await call("vector_store_file_batches.create_and_poll", made.id, **place, **_FAST)
    assert (batch.status, batch.file_counts.completed) == ("completed", 1)
    found = await call("vector_store_file_batches.list_files", made.id, batch.id)
    assert [one.id for one in found] == [file.id]
    batch = await call("vector_store_file_batches.create", made.id, **place)
    assert (await call("vector_store_file_batches.get", made.id, batch.id)).file_counts.total == 1
    await call("vector_store_file_batches.cancel", made.id, batch.id)
    assert await call("vector_stores.delete", made.id) is None


async def file_search(call: AgentsCaller) -> None:
    file = await call("files.upload_and_poll", file=("a.txt", _TEXT.encode()), purpose=FilePurpose.AGENTS, **_FAST)
    store = await call("vector_stores.create_and_poll", file_ids=[file.id], name="facts", **_FAST)
    assert (store.status, store.file_counts.completed) == ("completed", 1)
    tool = FileSearchTool(vector_store_ids=[store.id])
    turns = (Turn(tool_calls=[_SEARCH]), Turn(text="Pizza【0:0†a.txt】."))
    thread, agent = await _ready(call, *turns, tools=tool.definitions, tool_resources=tool.resources)
    events = await call.events("runs.stream", thread, agent_id=agent)
    assert [name for name, _ in events][-2:] == ["thread.run.completed", "done"]
    message = await call("messages.get_last_message_by_role", thread, MessageRole.AGENT)
    (cited,) = message.file_citation_annotations
    assert cited.file_citation.file_id == file.id
    steps = await call("run_steps.list", thread, message.run_id)
    assert {step.type for step in steps} == {"tool_calls", "message_creation"}
    attached = MessageAttachment(file_id=file.id, tools=CodeInterpreterTool().definitions)
    made = await call("messages.create", thread, role="user", content="And this?", attachments=[attached])
    assert made.attachments[0].file_id == file.id


SCENARIOS: Final[tuple[Callable[[AgentsCaller], Awaitable[None]], ...]] = (
    agents,
    threads,
    runs,
    functions_are_called,
    functions_by_hand,
    files,
    vector_stores,
    file_search,
)
