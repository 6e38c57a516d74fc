"""Azure's client for agents with code that runs, with files and with searches: what owners of code for Azure's agents
do with charts, tables and citations, in the client's own types, by both kinds of it."""

import contextlib
import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from azure.ai.agents import models
from PIL import Image

from tests.compatibility.agents.calling import AgentsCaller
from tests.compatibility.calling import KINDS
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Call, Turn
from tests.running import Locum
from tests.sdk.installing import run

_TABLE = "region,sales\nNorth,30\nSouth,12\n"
_READ = "import pandas as pd\ntable = pd.read_csv('/mnt/data/sales.csv')\nprint(int(table['sales'].sum()))"
_DRAW = "import matplotlib.pyplot as plt\nplt.bar(table['region'], table['sales'])\nplt.show()"
_WRITE = "table.to_excel('/mnt/data/sales.xlsx', index=False)"
_LINK = "sandbox:/mnt/data/sales.xlsx"
_SAID = f"Sales in one chart, and [the workbook]({_LINK})."
_TEXT = "Ada likes pizza with pineapple."
_CONTENTS = [models.RunAdditionalFieldList.FILE_SEARCH_CONTENTS]
_FAST: Any = {"polling_interval": 0.05}


@pytest.fixture(scope="module", autouse=True)
def _sandbox(locum: Locum) -> Iterator[None]:
    """The sandbox host, for as long as these tests run."""
    locum.start_sandbox()
    yield
    locum.stop("sandbox")


@pytest.fixture(params=KINDS)
async def call(request: pytest.FixtureRequest, locum: Locum, backend: CompletionBackend) -> AsyncIterator[AgentsCaller]:
    """Calls of one kind of the client."""
    async with contextlib.aclosing(AgentsCaller(locum, backend, request.param)) as caller:
        yield caller


def _code(text: str) -> Turn:
    return Turn(tool_calls=[Call("code_interpreter", {"code": text})])


_CHART = (_code(_READ), _code(f"{_DRAW}\n{_WRITE}"), Turn(text=[_SAID[:40], _SAID[40:]]))


async def _uploaded(call: AgentsCaller, folder: Path, name: str, text: str) -> Any:
    path = folder / name
    path.write_text(text)
    purpose = models.FilePurpose.AGENTS
    return await call("files.upload_and_poll", file_path=str(path), purpose=purpose, **_FAST)


async def _agent(call: AgentsCaller, tool: Any, *turns: Turn) -> Any:
    return await call("create_agent", model=call.model(*turns), tools=tool.definitions, tool_resources=tool.resources)


async def _asked(call: AgentsCaller, text: str, *attachments: models.MessageAttachment) -> str:
    """The id of a new thread with a question."""
    thread = await call("threads.create")
    role = models.MessageRole.USER
    made = await call("messages.create", thread.id, role=role, content=text, attachments=list(attachments))
    assert [given.file_id for given in made.attachments or []] == [given.file_id for given in attachments]
    return str(thread.id)


async def test_a_chart_of_a_table(call: AgentsCaller, tmp_path: Path) -> None:
    file = await _uploaded(call, tmp_path, "sales.csv", _TABLE)
    tool = models.CodeInterpreterTool(file_ids=[file.id])
    agent = await _agent(call, tool, *_CHART)
    assert agent.tools == tool.definitions
    assert agent.tool_resources.code_interpreter.file_ids == [file.id]
    thread = await _asked(call, "Draw my sales.")
    done = await call("runs.create_and_process", thread, agent_id=agent.id, **_FAST)
    assert (done.status, done.last_error) == (models.RunStatus.COMPLETED, None)
    message = await call("messages.get_last_message_by_role", thread, models.MessageRole.AGENT)
    await _hold_the_message(call, message, tmp_path)
    (shown,) = message.image_contents
    assert await _drawn(call, thread, done.id) == shown.image_file.file_id


async def test_a_chart_of_a_table_streamed(call: AgentsCaller, tmp_path: Path) -> None:
    file = await _uploaded(call, tmp_path, "sales.csv", _TABLE)
    attached = models.MessageAttachment(file_id=file.id, tools=models.CodeInterpreterTool().definitions)
    agent = await _agent(call, models.CodeInterpreterTool(), *_CHART)
    thread = await _asked(call, "Draw my sales.", attached)
    events = await call.events("runs.stream", thread, agent_id=agent.id)
    assert [name for name, _ in events][-2:] == ["thread.run.completed", "done"]
    assert all(isinstance(data, _TYPES[name.rpartition(".")[0]]) for name, data in events if name in _TOLD)
    inputs, outputs = _followed([data.delta for name, data in events if name == "thread.run.step.delta"])
    assert inputs == [_READ, f"{_DRAW}\n{_WRITE}"]
    (sum_of_sales,), (image,) = outputs
    assert isinstance(sum_of_sales, models.RunStepDeltaCodeInterpreterLogOutput)
    assert sum_of_sales.logs == "42\n"
    assert isinstance(image, models.RunStepDeltaCodeInterpreterImageOutput)
    assert image.image is not None
    (message,) = [data for name, data in events if name == "thread.message.completed"]
    assert [shown.image_file.file_id for shown in message.image_contents] == [image.image.file_id]
    await _hold_the_message(call, message, tmp_path)
    said = [part for name, data in events if name == "thread.message.delta" for part in data.delta.content]
    assert isinstance(said[0], models.MessageDeltaImageFileContent)
    texts = [part.text for part in said if isinstance(part, models.MessageDeltaTextContent)]
    assert "".join(text.value or "" for text in texts if text is not None) == _SAID
    (linked,) = [note for text in texts if text is not None for note in text.annotations or ()]
    assert isinstance(linked, models.MessageDeltaTextFilePathAnnotation)
    assert linked.file_path is not None
    assert linked.file_path.file_id == message.file_path_annotations[0].file_path.file_id


#: What the events of a stream carry, by the beginnings of their names; and those that are told whole.
_TYPES = {"thread.message": models.ThreadMessage, "thread.run": models.ThreadRun, "thread.run.step": models.RunStep}
_TOLD = {
    *(f"thread.message.{state}" for state in ("created", "in_progress", "completed")),
    *(f"thread.run.{state}" for state in ("created", "queued", "in_progress", "completed")),
    *(f"thread.run.step.{state}" for state in ("created", "in_progress", "completed")),
}


async def _hold_the_message(call: AgentsCaller, message: Any, folder: Path) -> None:
    """The chart and the workbook of a message are there, and are got by the client's own ways."""
    (shown,) = message.image_contents
    await call("files.save", shown.image_file.file_id, "chart.png", str(folder))
    with Image.open(folder / "chart.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 100
    (text,) = message.text_messages
    (link,) = message.file_path_annotations
    assert text.text.value == _SAID
    assert text.text.value[link.start_index : link.end_index] == link.text == _LINK
    kept = await call("files.get", link.file_path.file_id)
    assert kept.purpose == models.FilePurpose.AGENTS_OUTPUT
    content = b"".join(await call("files.get_content", kept.id))
    sheet = openpyxl.load_workbook(io.BytesIO(content))["Sheet1"]
    assert list(sheet.values)[1:] == [("North", 30), ("South", 12)]


async def _drawn(call: AgentsCaller, thread: str, run_id: str) -> str:
    """The id of the image that a run's code has drawn, as its steps say."""
    steps = await call("run_steps.list", thread, run_id, order=models.ListSortOrder.ASCENDING)
    assert [step.type for step in steps] == ["tool_calls", "tool_calls", "message_creation"]
    calls = [called for step in steps[:2] for called in step.step_details.tool_calls]
    assert all(isinstance(called, models.RunStepCodeInterpreterToolCall) for called in calls)
    read, drew = (called.code_interpreter for called in calls)
    assert [read.input, drew.input] == [_READ, f"{_DRAW}\n{_WRITE}"]
    (printed,), (image,) = read.outputs, drew.outputs
    assert isinstance(printed, models.RunStepCodeInterpreterLogOutput)
    assert printed.logs == "42\n"
    assert isinstance(image, models.RunStepCodeInterpreterImageOutput)
    return image.image.file_id


def _followed(deltas: list[Any]) -> tuple[list[str], list[list[Any]]]:
    """What was run and what came of it, by call, in their order."""
    inputs: dict[str, str] = {}
    outputs: dict[str, list[Any]] = {}
    latest = ""
    for delta in deltas:
        for called in delta.step_details.tool_calls:
            assert isinstance(called, models.RunStepDeltaCodeInterpreterToolCall)
            latest = called.id or latest
            code = called.code_interpreter
            assert code is not None
            inputs[latest] = inputs.get(latest, "") + (code.input or "")
            outputs.setdefault(latest, []).extend(code.outputs or ())
    return list(inputs.values()), list(outputs.values())


async def test_a_file_of_a_message_is_searched(call: AgentsCaller, tmp_path: Path) -> None:
    """One for searching and one for code, on one message of an agent with both tools."""
    facts = await _uploaded(call, tmp_path, "facts.txt", _TEXT)
    table = await _uploaded(call, tmp_path, "sales.csv", _TABLE)
    toolset: Any = models.ToolSet()
    toolset.add(models.FileSearchTool())
    toolset.add(models.CodeInterpreterTool())
    turns = (Turn(tool_calls=[_SEARCH]), _code(_READ), Turn(text="Pizza【0:0†facts.txt】."))
    agent = await _agent(call, toolset, *turns)
    attached = (
        models.MessageAttachment(file_id=facts.id, tools=models.FileSearchTool().definitions),
        models.MessageAttachment(file_id=table.id, tools=models.CodeInterpreterTool().definitions),
    )
    thread = await _asked(call, "What does Ada like, and how are my sales?", *attached)
    done = await call("runs.create_and_process", thread, agent_id=agent.id, **_FAST)
    assert (done.status, done.last_error) == (models.RunStatus.COMPLETED, None)
    message = await call("messages.get_last_message_by_role", thread, models.MessageRole.AGENT)
    (cited,) = message.file_citation_annotations
    assert cited.file_citation.file_id == facts.id
    assert message.text_messages[0].text.value[cited.start_index : cited.end_index] == cited.text
    resources = (await call("threads.get", thread)).tool_resources
    assert resources.code_interpreter.file_ids == [table.id]
    (store,) = resources.file_search.vector_store_ids
    assert [found.id for found in await call("vector_store_files.list", store)] == [facts.id]


_SEARCH = Call("file_search", {"queries": ["pizza"]})


async def test_a_search_and_its_citations_streamed(call: AgentsCaller, tmp_path: Path) -> None:
    file = await _uploaded(call, tmp_path, "facts.txt", _TEXT)
    store = await call("vector_stores.create_and_poll", file_ids=[file.id], name="facts", **_FAST)
    tool = models.FileSearchTool(vector_store_ids=[store.id])
    agent = await _agent(call, tool, Turn(tool_calls=[_SEARCH]), Turn(text=["Pizza【0:0†", "facts.txt】."]))
    thread = await _asked(call, "What does Ada like?")
    events = await call.events("runs.stream", thread, agent_id=agent.id, include=_CONTENTS)
    deltas = [part.text for name, data in events if name == "thread.message.delta" for part in data.delta.content]
    (cited,) = [note for text in deltas for note in text.annotations or ()]
    assert isinstance(cited, models.MessageDeltaTextFileCitationAnnotation)
    assert cited.file_citation is not None
    assert cited.file_citation.file_id == file.id
    (ended,) = [data for name, data in events if name == "thread.run.completed"]
    (search, _) = await call("run_steps.list", thread, ended.id, order="asc", include=_CONTENTS)
    (called,) = search.step_details.tool_calls
    assert isinstance(called, models.RunStepFileSearchToolCall)
    (found,) = called.file_search.results
    assert (found.file_id, found.file_name) == (file.id, "facts.txt")
    assert [part.text for part in found.content or ()] == [_TEXT]
    streamed = [
        called
        for name, data in events
        if name == "thread.run.step.delta"
        for called in data.delta.step_details.tool_calls
    ]
    assert [type(called) for called in streamed] == [models.RunStepDeltaFileSearchToolCall]
    (told, _) = [data for name, data in events if name == "thread.run.step.completed"]
    assert told.step_details.tool_calls[0].file_search.results[0].content[0].text == _TEXT


@pytest.mark.timeout(300)
def test_in_node(locum: Locum, backend: CompletionBackend, node_folder: Path) -> None:
    where = ["--base-url", locum.base_url, "--api-key", locum.new_project(), "--backend", backend.origin]
    run("node", "agents_tools.mjs", "--origin", locum.origin, *where, cwd=node_folder)
