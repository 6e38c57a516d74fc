"""A project of Azure's agents comes over: it is saved from its endpoint, and imported without what Azure alone has."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from azure.ai.agents import AgentsClient, models
from openai import OpenAI

from app.schemas.foreign_tools import FOREIGN_TOOLS
from app.transfer.dump import Dump
from app.transfer.foreign import without_foreign
from app.transfer.shapes import content_parts
from tests.compatibility.agents.calling import sync_client
from tests.fakes.completion_backend import CompletionBackend, Turn
from tests.running import Locum, wait_for
from tests.sdk.installing import run
from tests.transfer.dumps import Json, read, table, transfer, write
from tests.transfer.foundry import FOREIGN, TOKEN, Foundry

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "migration" / "save_hosted.py"


@pytest.fixture
def owner(locum: Locum, database: psycopg.Connection) -> tuple[str, str]:
    """A project of the test's own: its id and its key."""
    key = locum.new_project()
    found = database.execute("SELECT id FROM projects ORDER BY created_at DESC LIMIT 1").fetchone()
    assert found is not None
    return found[0], key


@pytest.fixture
def foundry(model: str) -> Iterator[Foundry]:
    with Foundry(model) as serving:
        yield serving


def _saved(foundry: Foundry, path: Path, token: str = TOKEN) -> str:
    command = f"exec '{sys.executable}' -W ignore::DeprecationWarning '{SCRIPT}' '{path}' < /dev/null 2>&1"
    return run("sh", "-c", command, cwd=path.parent, PROJECT_ENDPOINT=foundry.endpoint, OPENAI_API_KEY=token)


def test_a_project_is_saved_in_full(foundry: Foundry, tmp_path: Path) -> None:
    """Each object as the server has it, threads without their ids having been given, and all contents."""
    assert _saved(foundry, tmp_path / "saved.jsonl") == ""
    held = [item for items in foundry._lists().values() for item in items]
    saved = read(tmp_path / "saved.jsonl")
    assert len(saved) == len(held)
    assert {(item["object"], item["id"]): item for item in saved} == {
        (item["object"], item["id"]): item for item in held
    }
    assert {path.name: path.read_bytes() for path in (tmp_path / "saved.files").iterdir()} == foundry.contents


def test_a_token_that_is_not_taken_ends_the_saving(foundry: Foundry, tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="The server does not take the key. What was saved is not all."):
        _saved(foundry, tmp_path / "saved.jsonl", token="another")


def test_its_agents_go_on_without_what_azure_alone_has(
    locum: Locum,
    owner: tuple[str, str],
    foundry: Foundry,
    backend: CompletionBackend,
    script: Callable[..., None],
    tmp_path: Path,
) -> None:
    project, key = owner
    path = tmp_path / "saved.jsonl"
    _saved(foundry, path)
    done = transfer(locum, "import", str(path), "--project", project)
    assert done.returncode == 0, done.stderr
    assert table(done.stdout) == {
        "file": (2, 0), "vector_store": (1, 0), "vector_store.file": (1, 0), "assistant": (2, 0), "thread": (1, 0),
        "thread.message": (2, 0), "thread.run": (1, 0), "thread.run.step": (2, 0),
    }  # fmt: skip
    _hold_the_report(done.stdout, foundry)
    with locum.client(key) as client:
        _look_with_openai(client, foundry)
        script(Turn(text="As I said."))
        client.beta.threads.messages.create(foundry.thread, role="user", content="Really?")
        again = client.beta.threads.runs.create_and_poll(thread_id=foundry.thread, assistant_id=foundry.agent)
        assert (again.status, again.last_error) == ("completed", None)
    said = [message["content"] for message in backend.requests(foundry.model)[0]["messages"]]
    # What the marker stood for, a page of the web, the model does not see any more.
    assert "The lamp blinks." in said
    with sync_client(locum.origin, key) as agents:
        _look_with_azures(agents, foundry)
    assert table(transfer(locum, "import", str(path), "--project", project).stdout)["thread.run"] == (0, 1)


def _hold_the_report(printed: str, foundry: Foundry) -> None:
    (line,) = re.findall(rf"line \d+: assistant {foundry.agent}: without (.*)", printed)
    tools = [tool["type"] for tool in FOREIGN]
    named = [f"the tool {kind} ({FOREIGN_TOOLS[kind]})" for kind in tools[:-1]]
    resources = ["tool_resources.code_interpreter.data_sources", "tool_resources.azure_ai_search"]
    assert line == ", ".join([*named, f"the tool {tools[-1]}", *resources])
    assert foundry.other not in printed
    told = [line.strip() for line in printed.splitlines() if re.match(r"  \d+ x ", line)]
    bing, openapi = (f"{kind} ({FOREIGN_TOOLS[kind]})" for kind in ("bing_grounding", "openapi"))
    assert told[:1] == ["1 x thread.message: without attachments of an Azure storage (data_source)"]
    assert {
        "1 x thread.run: without the tool mcp (MCP servers)",
        f"1 x thread.run.step: without calls of {bing}",
        f"1 x thread.run.step: left out, for calls of {bing}",
        f"1 x thread.run.step: left out, for calls of {openapi}",
        "1 x thread.run.step: left out, for details of the type activities",
    } <= set(told)


def _look_with_openai(client: OpenAI, foundry: Foundry) -> None:
    agent = client.beta.assistants.retrieve(foundry.agent)
    assert [tool.type for tool in agent.tools] == ["code_interpreter", "file_search", "function"]
    assert agent.tool_resources is not None
    assert agent.tool_resources.to_dict() == {
        "code_interpreter": {"file_ids": [foundry.manual]},
        "file_search": {"vector_store_ids": [foundry.store]},
    }
    made = client.beta.threads.runs.retrieve(foundry.run, thread_id=foundry.thread)
    assert (made.status, made.tool_choice) == ("completed", "auto")
    steps = client.beta.threads.runs.steps.list(foundry.run, thread_id=foundry.thread, order="asc").data
    assert [step.id for step in steps] == [foundry.steps[0], foundry.steps[3]]
    assert steps[0].step_details.type == "tool_calls"
    assert [call.type for call in steps[0].step_details.tool_calls] == ["code_interpreter"]
    wait_for(lambda: client.vector_stores.retrieve(foundry.store).file_counts.completed == 1, "the ingestion", 30)


def _look_with_azures(agents: AgentsClient, foundry: Foundry) -> None:
    asked, answered = (agents.messages.get(foundry.thread, message_id) for message_id in foundry.messages)
    assert [attached.file_id for attached in asked.attachments or ()] == [foundry.manual]
    (cited,) = answered.url_citation_annotations
    assert isinstance(cited, models.MessageTextUrlCitationAnnotation)
    assert (cited.url_citation.url, cited.start_index, cited.end_index) == ("https://example.com", 15, 27)
    assert b"".join(agents.files.get_content(foundry.chart)) == foundry.contents[foundry.chart]


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({"object": "assistant", "tools": [{}]}, "tools"),
        ({"object": "assistant", "tools": ["bing_grounding"]}, "tools"),
        ({"object": "assistant", "tools": [{"type": 7}]}, "tools"),
        ({"object": "assistant", "tools": [{"type": "function"}]}, "tools"),
        ({"object": "thread.run.step", "step_details": {"type": "tool_calls", "tool_calls": [{}]}}, "step_details"),
        ({"object": "thread.run.step", "step_details": {}}, "step_details"),
        ({"object": "thread.run.step"}, "step_details"),
        ({"object": "thread.message", "content": "Hi", "role": "user", "attachments": [{}]}, "attachments.0.file_id"),
    ],
)
def test_what_is_no_part_at_all_is_refused(given: Json, refused: str, tmp_path: Path) -> None:
    assert without_foreign(given) == (given, [])
    whole = {"id": "asst_a", "created_at": 1, "model": "m", "thread_id": "thread_a", "run_id": "run_a"}
    if given["object"] != "assistant":
        whole |= {"id": "step_a" if "step" in given["object"] else "msg_a", "assistant_id": "a", "status": "completed"}
    with Dump(write(tmp_path / "odd.jsonl", [whole | given])) as dump:
        (fault,) = dump.read()
    assert fault.why.startswith(f"{given['object']}: {refused}: ")


def test_an_annotation_without_a_place_is_placed() -> None:
    """Where its words first stand; one whose words stand nowhere is left out."""
    marks: list[Json] = [{"type": "file_citation", "text": text, "start_index": None} for text in ("[2]", "[7]", "")]
    (part,) = content_parts([{"type": "text", "text": {"value": "a[1]b[2]", "annotations": [*marks, "x", {}]}}])
    assert part["text"]["annotations"] == [{**marks[0], "start_index": 5, "end_index": 8}]
