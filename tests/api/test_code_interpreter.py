"""code_interpreter in runs: from code to its outputs, charts and files, through the whole stack and a real sandbox."""

import csv
import io
import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import openpyxl
import psycopg
import pytest
from openai import OpenAI
from openai.types.beta.threads import Message, Run
from openai.types.beta.threads.runs import CodeInterpreterToolCall
from PIL import Image

from app import sandbox_host
from tests.api.test_errors import settings_of
from tests.api.test_functions import TIME
from tests.api.test_streaming import events_of
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Call, Turn
from tests.running import Locum, wait_for

Script = Callable[..., None]

CODE: Any = {"type": "code_interpreter"}
QUESTION: Any = {"role": "user", "content": "Compute."}


def code(text: str) -> Call:
    """A call that runs `text`."""
    return Call("code_interpreter", {"code": text})


@pytest.fixture(scope="module", autouse=True)
def _sandbox(locum: Locum) -> Iterator[None]:
    """The sandbox host, for as long as these tests run."""
    locum.start_sandbox()
    yield
    if "sandbox" in locum.processes:
        locum.stop("sandbox")


def test_the_host_is_a_part_of_readiness(locum: Locum) -> None:
    checks = httpx2.get(f"{locum.origin}/readyz").json()["checks"]
    assert checks["sandbox"] == {"ok": True}


async def test_a_host_with_another_token_is_told(locum: Locum) -> None:
    url = locum.environment["LOCUM_SANDBOX_URL"]
    settings = settings_of(locum, sandbox_url=url, sandbox_token="another-" * 4)
    assert (await sandbox_host.ask(settings)).problem == f"{url} has another LOCUM_SANDBOX_TOKEN"


def ask(client: OpenAI, model: str, tools: Any = (CODE,), **options: Any) -> Run:
    """A run of an assistant with the code interpreter, polled until it ends or pauses."""
    thread = options.pop("thread", {"messages": [QUESTION]})
    resources = options.pop("tool_resources", None)
    assistant = client.beta.assistants.create(model=model, tools=tools, tool_resources=resources)
    return client.beta.threads.create_and_run_poll(assistant_id=assistant.id, thread=thread, **options)


def calls(client: OpenAI, run: Run) -> list[CodeInterpreterToolCall]:
    """The executions of a run, in order."""
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, order="asc").data
    found = [call for step in steps if step.step_details.type == "tool_calls" for call in step.step_details.tool_calls]
    return [call for call in found if call.type == "code_interpreter"]


def logs(call: CodeInterpreterToolCall) -> str:
    """What an execution has printed."""
    return "".join(output.logs for output in call.code_interpreter.outputs if output.type == "logs")


def answer(client: OpenAI, run: Run) -> Message:
    """The newest message of the run's thread."""
    return client.beta.threads.messages.list(run.thread_id, limit=1).data[0]


def told(backend: CompletionBackend, model: str) -> str:
    """What the model was told last of an execution."""
    messages = backend.requests(model)[-1]["messages"]
    return str([message["content"] for message in messages if message["role"] == "tool"][-1])


def test_code_is_run_and_answered_from(client: OpenAI, model: str, script: Script, backend: CompletionBackend) -> None:
    script(Turn(tool_calls=[code("print(6 * 7)\n'the end'")]), Turn(text="It is 42."))
    run = ask(client, model)
    assert run.status == "completed", run.last_error
    (call,) = calls(client, run)
    assert (call.code_interpreter.input, logs(call)) == ("print(6 * 7)\n'the end'", "42\n")
    assert "42" in told(backend, model)
    assert "the end" in told(backend, model)
    part = answer(client, run).content[0]
    assert part.type == "text"
    assert part.text.value == "It is 42."


def test_variables_live_from_run_to_run_of_a_thread(client: OpenAI, model: str, script: Script) -> None:
    script(
        Turn(tool_calls=[code("x = 20")]), Turn(text="Kept."), Turn(tool_calls=[code("print(x + 1)")]), Turn(text="21")
    )
    run = ask(client, model)
    client.beta.threads.messages.create(run.thread_id, role="user", content="And?")
    again = client.beta.threads.runs.create_and_poll(thread_id=run.thread_id, assistant_id=run.assistant_id)
    assert logs(calls(client, again)[0]) == "21\n"


def test_a_chart_is_a_file_an_output_and_a_part_of_the_answer(client: OpenAI, model: str, script: Script) -> None:
    script(
        Turn(tool_calls=[code("import matplotlib.pyplot as plt\nplt.plot([1, 4, 9])\nplt.show()")]),
        Turn(text="Here it is."),
    )
    run = ask(client, model)
    assert run.status == "completed", run.last_error
    (image,) = [output for output in calls(client, run)[0].code_interpreter.outputs if output.type == "image"]
    assert image.image is not None
    first, second = answer(client, run).content
    assert first.type == "image_file"
    assert first.image_file.file_id == image.image.file_id
    assert second.type == "text"
    kept = client.files.retrieve(first.image_file.file_id)
    assert kept.purpose == "assistants_output"
    with Image.open(io.BytesIO(client.files.content(kept.id).read())) as picture:
        assert picture.format == "PNG"
        assert picture.width > 100


def test_a_file_that_is_written_is_linked(client: OpenAI, model: str, script: Script) -> None:
    write = "import pandas as pd\npd.DataFrame({'a': [1, 2]}).to_excel('/mnt/data/über uns.xlsx', index=False)"
    link = "sandbox:/mnt/data/über uns.xlsx"
    script(Turn(tool_calls=[code(write)]), Turn(text=["[Here](sand", "box:/mnt/data/über ", "uns.xlsx) it is."]))
    run = ask(client, model)
    assert run.status == "completed", run.last_error
    part = answer(client, run).content[0]
    assert part.type == "text"
    assert part.text.value == f"[Here]({link}) it is."
    (annotation,) = part.text.annotations
    assert annotation.type == "file_path"
    assert part.text.value[annotation.start_index : annotation.end_index] == annotation.text == link
    content = client.files.content(annotation.file_path.file_id).read()
    sheet = openpyxl.load_workbook(io.BytesIO(content))["Sheet1"]
    assert list(sheet.values) == [("a",), (1,), (2,)]


def test_a_file_of_an_earlier_run_is_linked(client: OpenAI, model: str, script: Script) -> None:
    write = "for name in ('été 1', 'b', 'c'): open(f'/mnt/data/{name}.txt', 'w').write(name)"
    again = "open('/mnt/data/b.txt', 'w').write('newer')"
    texts = ("Written.", "Written again.")
    links = "[A](sandbox:///mnt/data/%c3%a9t%C3%A9%201.txt) [B](/mnt/data/./b.txt) [C](sandbox:/mnt/data/c.txt)"
    script(
        *(Turn(tool_calls=[code(write)]), Turn(text=texts[0])),
        *(Turn(tool_calls=[code(again)]), Turn(text=texts[1])),
        Turn(text=links),
    )
    first = ask(client, model)
    for _ in texts:
        client.beta.threads.messages.create(first.thread_id, role="user", content="And now?")
        run = client.beta.threads.runs.create_and_poll(thread_id=first.thread_id, assistant_id=first.assistant_id)
        assert run.status == "completed", run.last_error
    part = answer(client, run).content[0]
    assert part.type == "text"
    assert part.text.value == links
    linked = {}
    for annotation in part.text.annotations:
        assert annotation.type == "file_path"
        assert links[annotation.start_index : annotation.end_index] == annotation.text
        linked[annotation.text] = client.files.content(annotation.file_path.file_id).read()
    assert linked == {
        "sandbox:///mnt/data/%c3%a9t%C3%A9%201.txt": "été 1".encode(),
        "/mnt/data/./b.txt": b"newer",
        "sandbox:/mnt/data/c.txt": b"c",
    }
    gone = next(note.file_path.file_id for note in part.text.annotations if note.type == "file_path")
    client.files.delete(gone)
    script(Turn(text=links))
    plain = client.beta.assistants.create(model=model)
    client.beta.threads.messages.create(first.thread_id, role="user", content="Once more?")
    run = client.beta.threads.runs.create_and_poll(thread_id=first.thread_id, assistant_id=plain.id)
    part = answer(client, run).content[0]
    assert part.type == "text"
    assert [note.text for note in part.text.annotations] == ["/mnt/data/./b.txt", "sandbox:/mnt/data/c.txt"]


@contextmanager
def storage_away(locum: Locum) -> Iterator[None]:
    """Where the files are is no folder for the block."""
    folder = Path(locum.environment["LOCUM_DATA_DIR"], "files")
    aside = folder.rename(folder.with_name("aside"))
    folder.touch()
    try:
        yield
    finally:
        folder.unlink()
        aside.rename(folder)


def test_files_beyond_what_one_execution_may_bring_back_are_told(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend
) -> None:
    write = "for n in range(53):\n    open(f'/mnt/data/{n:02}.txt', 'w').write('x')"
    script(Turn(tool_calls=[code(write)]), Turn(text="Many."))
    run = ask(client, model)
    (call,) = calls(client, run)
    dropped = (
        "Files that were not kept (3), because one execution may bring back 50 files at most: 50.txt, 51.txt, 52.txt"
    )
    assert dropped in logs(call)
    assert dropped in told(backend, model)
    assert told(backend, model).count("sandbox:/mnt/data/") == 50


def test_a_storage_that_is_away_for_a_moment_is_waited_for(
    client: OpenAI, locum: Locum, model: str, script: Script
) -> None:
    table = client.files.create(file=("table.csv", b"1,2"), purpose="assistants")
    copy = "import shutil\nprint(shutil.copy('/mnt/data/table.csv', '/mnt/data/copy.csv'))"
    script(Turn(tool_calls=[code(copy)]), Turn(text="[Here](sandbox:/mnt/data/copy.csv)."))
    assistant = client.beta.assistants.create(
        model=model, tools=[CODE], tool_resources={"code_interpreter": {"file_ids": [table.id]}}
    )
    log = locum.logs / "worker.log"
    seen = log.stat().st_size
    with storage_away(locum):
        run = client.beta.threads.create_and_run(assistant_id=assistant.id, thread={"messages": [QUESTION]})
        wait_for(lambda: b"storage_away" in log.read_bytes()[seen:], "the worker to miss the storage")
    run = client.beta.threads.runs.poll(run.id, thread_id=run.thread_id)
    assert run.status == "completed", run.last_error
    assert logs(calls(client, run)[0]) == "/mnt/data/copy.csv\n"
    part = answer(client, run).content[0]
    assert part.type == "text"
    (annotation,) = part.text.annotations
    assert annotation.type == "file_path"
    assert client.files.content(annotation.file_path.file_id).read() == b"1,2"


def test_a_storage_that_stays_away_is_told(
    client: OpenAI, locum: Locum, model: str, script: Script, backend: CompletionBackend
) -> None:
    write = "for name in 'ab': open(f'/mnt/data/{name}.txt', 'w').write(name)"
    plot = "import matplotlib.pyplot as plt\nplt.plot([1, 4, 9])\nplt.show()"
    script(Turn(tool_calls=[code(f"{write}\nprint('written')\n{plot}")]), Turn(text="Sorry."))
    with storage_away(locum):
        run = ask(client, model)
    assert run.status == "completed", run.last_error
    text = logs(calls(client, run)[0])
    for lost in ("image.png", "a.txt", "b.txt"):
        assert f"{lost} could not be kept. The file storage of this server cannot be used right now." in text
    assert "written" in text
    assert "a.txt could not be kept" in told(backend, model)


def test_code_whose_files_cannot_be_read_is_not_run(client: OpenAI, locum: Locum, model: str, script: Script) -> None:
    table = client.files.create(file=("table.csv", b"1,2"), purpose="assistants")
    script(Turn(tool_calls=[code("print('ran')")]), Turn(text="Sorry."))
    with storage_away(locum):
        run = ask(client, model, tool_resources={"code_interpreter": {"file_ids": [table.id]}})
    assert run.status == "completed", run.last_error
    assert logs(calls(client, run)[0]).startswith("The code could not be run: its files cannot be read.")


def test_files_are_there_by_id_and_by_name(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend
) -> None:
    first, second, third = (
        client.files.create(file=(name, text), purpose="assistants").id
        for name, text in (("t.csv", b"n\n1\n"), ("t.csv", b"n\n2\n"), ("notes.txt", b"three"))
    )
    look = (
        f"for name in ('t.csv', 't (2).csv', 'notes.txt', '{first}', '{third}'):\n"
        "    print(open('/mnt/data/' + name).read().split()[-1])"
    )
    script(Turn(tool_calls=[code(look)]), Turn(text="Read."))
    attached: Any = [{"file_id": third, "tools": [CODE]}]
    run = ask(
        client,
        model,
        tool_resources={"code_interpreter": {"file_ids": [first, second]}},
        thread={"messages": [{"role": "user", "content": "Read.", "attachments": attached}]},
    )
    assert run.status == "completed", run.last_error
    assert logs(calls(client, run)[0]).split() == ["1", "2", "three", "1", "three"]
    instructions = str(backend.requests(model)[0]["messages"][0]["content"])
    assert all(name in instructions for name in (f"/mnt/data/{first}", "/mnt/data/t.csv", "/mnt/data/t (2).csv"))
    thread = client.beta.threads.retrieve(run.thread_id)
    assert thread.tool_resources is not None
    assert thread.tool_resources.code_interpreter is not None
    assert thread.tool_resources.code_interpreter.file_ids == [third]


def test_an_error_goes_back_to_the_model(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(tool_calls=[code("1 / 0")]), Turn(tool_calls=[code("print('mended')")]), Turn(text="Done."))
    run = ask(client, model)
    assert run.status == "completed", run.last_error
    first, second = calls(client, run)
    assert "ZeroDivisionError" in logs(first)
    assert logs(second) == "mended\n"
    assert "ZeroDivisionError" in str(backend.requests(model)[1]["messages"][-1]["content"])


def test_several_calls_of_one_turn_run_in_order(client: OpenAI, model: str, script: Script) -> None:
    script(Turn(tool_calls=[code("a = 1"), code("a += 1"), code("print(a)"), Call("get_time")]), Turn(text="2"))
    run = ask(client, model, tools=[CODE, TIME])
    assert run.status == "requires_action"
    assert [logs(call) for call in calls(client, run)] == ["", "", "2\n"]


def test_code_and_outputs_are_streamed(client: OpenAI, http: httpx2.Client, model: str, script: Script) -> None:
    script(Turn(tool_calls=[code("print('é')")]), Turn(text="Done."))
    assistant = client.beta.assistants.create(model=model, tools=[CODE])
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Go."}])
    body = {"assistant_id": assistant.id, "stream": True}
    with http.stream("POST", f"/threads/{thread.id}/runs", json=body) as response:
        events = list(events_of(response))
    deltas = [
        event.json()["delta"]["step_details"]["tool_calls"][0]
        for event in events
        if event.name == "thread.run.step.delta"
    ]
    first, *growing, last = deltas
    assert (first["index"], first["type"], first["code_interpreter"]["outputs"]) == (0, "code_interpreter", [])
    assert first["id"].startswith("call_")
    told = [first, *growing]
    assert "".join(delta["code_interpreter"]["input"] for delta in told) == "print('é')"
    assert last == {
        "index": 0,
        "type": "code_interpreter",
        "code_interpreter": {"outputs": [{"index": 0, "type": "logs", "logs": "é\n"}]},
    }
    (done,) = [event.json() for event in events if event.name == "thread.run.step.completed"][:1]
    (call,) = done["step_details"]["tool_calls"]
    assert set(call) == {"id", "type", "code_interpreter"}


def test_a_host_that_is_gone_is_a_tool_error_and_one_that_is_back_serves_again(
    client: OpenAI, locum: Locum, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(tool_calls=[code("print(1)")]), Turn(text="No."), Turn(tool_calls=[code("print(2)")]), Turn(text="2"))
    locum.stop("sandbox")
    run = ask(client, model)
    assert run.status == "completed", run.last_error
    assert "cannot be reached" in logs(calls(client, run)[0])
    assert "cannot be reached" in told(backend, model)
    locum.start_sandbox()
    client.beta.threads.messages.create(run.thread_id, role="user", content="Now?")
    again = client.beta.threads.runs.create_and_poll(thread_id=run.thread_id, assistant_id=run.assistant_id)
    assert logs(calls(client, again)[0]) == "2\n"


def test_a_csv_is_read(client: OpenAI, model: str, script: Script) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([("city", "people"), ("Oslo", 700), ("Bergen", 300)])
    file = client.files.create(file=("cities.csv", text.getvalue().encode()), purpose="assistants").id
    sums = "import pandas as pd\nprint(pd.read_csv('/mnt/data/cities.csv').people.sum())"
    script(Turn(tool_calls=[code(sums)]), Turn(text="1000."))
    attached: Any = [{"file_id": file, "tools": [CODE]}]
    run = ask(client, model, thread={"messages": [{"role": "user", "content": "Sum.", "attachments": attached}]})
    assert run.status == "completed", run.last_error
    assert logs(calls(client, run)[0]) == "1000\n"


@pytest.fixture
def emulated(backend: CompletionBackend, model: str) -> Iterator[str]:
    """The name of a model of the test's own that knows nothing of tools."""
    name = f"emulated-{model}"
    yield name
    backend.forget(name)


def test_a_model_without_tools_of_its_own_runs_code(client: OpenAI, emulated: str, backend: CompletionBackend) -> None:
    call = {"tool_calls": [{"name": "code_interpreter", "arguments": {"code": "print(6 * 7)"}}]}
    # A small model calls again what it has just called, whatever it is told: then it is asked without a schema.
    backend.script(emulated, Turn(text=json.dumps(call)), Turn(text=json.dumps(call)), Turn(text="It is 42."))
    run = ask(client, emulated, tool_choice=CODE)
    assert run.status == "completed", run.last_error
    assert [logs(call) for call in calls(client, run)] == ["42\n"]
    part = answer(client, run).content[0]
    assert part.type == "text"
    assert part.text.value == "It is 42."
    forced, free, unbound = backend.requests(emulated)
    assert _branches(forced) == {"tool_calls"}
    # What was forced has been done: from now on it may answer.
    assert _branches(free) == {"tool_calls", "answer"}
    assert "42" in str(free["messages"])
    assert "response_format" not in unbound


def _branches(request: dict[str, Any]) -> set[str]:
    """What the model may do by the schema that holds its answer."""
    schema = request["response_format"]["json_schema"]["schema"]
    return {name for branch in schema.get("anyOf", [schema]) for name in branch["properties"]}


@pytest.mark.parametrize("choice", ["auto", CODE])
def test_a_model_without_tools_that_never_has_enough_comes_to_an_end(
    client: OpenAI, emulated: str, backend: CompletionBackend, choice: Any
) -> None:
    def call(number: int) -> str:
        return json.dumps({"tool_calls": [{"name": "code_interpreter", "arguments": {"code": f"print({number})"}}]})

    backend.script(emulated, *(Turn(text=call(number)) for number in range(20)))
    run = ask(client, emulated, tool_choice=choice)
    assert run.status == "failed"
    assert run.last_error is not None
    assert run.last_error.message == "The run came to no end in 12 turns."
    assert [logs(call) for call in calls(client, run)] == [f"{number}\n" for number in range(12)]
    assert len(backend.requests(emulated)) == 12


def test_code_that_loses_its_worker_twice_is_given_up(
    client: OpenAI, locum: Locum, database: psycopg.Connection, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(tool_calls=[code("import time\ntime.sleep(60)")]), Turn(text="Too bad."))
    assistant = client.beta.assistants.create(model=model, tools=[CODE])
    thread: Any = {"messages": [{"role": "user", "content": "Wait."}]}
    run = client.beta.threads.create_and_run(assistant_id=assistant.id, thread=thread)
    for begun in (1, 2):
        begins(database, run, begun)
        wait_for(lambda: sandbox_stats(locum)["busy"] == 1, "the code to run", 20)
        locum.stop("worker", signal.SIGKILL)
        wait_for(lambda: sandbox_stats(locum)["busy"] == 0, "the code to be stopped", 20)
        locum.start("worker", "worker")
    ended = client.beta.threads.runs.poll(run.id, thread_id=run.thread_id, poll_interval_ms=50)
    assert ended.status == "completed", ended.last_error
    (call,) = calls(client, run)
    assert logs(call) == "The server was interrupted each time this code ran. It has not been run again."
    assert logs(call) in told(backend, model)


def begins(database: psycopg.Connection, run: Run, times: int) -> None:
    """Waits until a run's only call has been begun so often."""
    query = "SELECT step_details -> 'tool_calls' -> 0 -> 'starts' FROM run_steps WHERE run_id = %s"
    wait_for(lambda: database.execute(query, [run.id]).fetchone() == (times,), "the code to begin", 20)


def sandbox_stats(locum: Locum) -> dict[str, Any]:
    """What the sandbox host says of itself."""
    headers = {"Authorization": f"Bearer {locum.environment['LOCUM_SANDBOX_TOKEN']}"}
    return dict(httpx2.get(f"{locum.environment['LOCUM_SANDBOX_URL']}/stats", headers=headers).json())
