"""What becomes of code that runs while its run is cancelled, or while a worker or the sandbox host dies."""

import signal
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from openai import OpenAI
from openai.types.beta.threads import Run

from tests.api.test_code_interpreter import calls, code, logs
from tests.api.test_runs import texts, wait_until
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Turn
from tests.running import Locum, wait_for

Script = Callable[..., None]

#: Counts how often it was begun; goes on at the first time only if it is stopped, later at once.
WAITING = """
import os, time
times = globals().get("times", 0) + 1
if times == 1:
    open("begun", "w").close()
    time.sleep(300)
print("time", times)
"""
#: For whatever depends on leases and restarts, on a busy machine.
PATIENCE = 30


@pytest.fixture(autouse=True)
def _whole(locum: Locum) -> Iterator[None]:
    """A sandbox host for each test, which may kill it, and afterwards all that was there before."""
    locum.start_sandbox()
    yield
    if "sandbox" in locum.processes:
        locum.stop("sandbox")
    if "worker" not in locum.processes:
        locum.start("worker", "worker")
    locum.wait_until_ready()


@pytest.fixture
def host(locum: Locum) -> Iterator[httpx2.Client]:
    """The sandbox host over HTTP."""
    token = locum.environment["LOCUM_SANDBOX_TOKEN"]
    headers = {"Authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=locum.environment["LOCUM_SANDBOX_URL"], headers=headers) as opened:
        yield opened


def begin(client: OpenAI, host: httpx2.Client, model: str) -> Run:
    """A run whose code is at work."""
    assistant = client.beta.assistants.create(model=model, tools=[{"type": "code_interpreter"}])
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Wait."}])
    run = client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id)

    def has_begun() -> bool:
        if not executions(host):
            return False
        session = host.put(f"/sessions/{thread.id}").json()["id"]
        return any(file["path"] == "begun" for file in host.get(f"/sessions/{session}/files").json()["files"])

    wait_for(has_begun, "the code to begin", PATIENCE)
    return run


def executions(host: httpx2.Client) -> int:
    """How many are under way."""
    return int(host.get("/stats").raise_for_status().json()["executions"])


def ended(client: OpenAI, run: Run) -> Any:
    """The one call of the completed run."""
    run = wait_until(client, run, "completed", PATIENCE)
    (call,) = calls(client, run)
    return call


def test_a_cancel_interrupts_the_code(client: OpenAI, host: httpx2.Client, model: str, script: Script) -> None:
    script(Turn(tool_calls=[code(WAITING)]), Turn(tool_calls=[code("print(times)")]), Turn(text="Free."))
    run = begin(client, host, model)
    client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
    # Aimed at is one second; here it is that the code does not run on, on however busy a machine.
    wait_for(lambda: executions(host) == 0, "the code to be interrupted", 10)
    wait_until(client, run, "cancelled")
    again = client.beta.threads.runs.create_and_poll(thread_id=run.thread_id, assistant_id=run.assistant_id)
    # The kernel is the same, and free.
    assert logs(calls(client, again)[0]) == "1\n"


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
def test_code_whose_worker_ends_is_run_again_by_another(
    client: OpenAI,
    host: httpx2.Client,
    locum: Locum,
    model: str,
    script: Script,
    backend: CompletionBackend,
    signal_number: int,
) -> None:
    script(Turn(tool_calls=[code(WAITING), code("print('then', times)")]), Turn(text="Done."))
    run = begin(client, host, model)
    locum.stop("worker", signal_number)
    wait_for(lambda: executions(host) == 0, "the code that nobody listens to to be interrupted", PATIENCE)
    locum.start("worker", "worker")
    run = wait_until(client, run, "completed", PATIENCE)
    # Once more in the same session, which is told; the outputs of the first time nowhere; no turn asked for again.
    again = "(The server was interrupted while this code ran, so it has been run a second time.)\n"
    assert [logs(call) for call in calls(client, run)] == [f"{again}time 2\n", "then 2\n"]
    assert texts(client, run.thread_id) == ["Wait.", "Done."]
    assert len(backend.requests(model)) == 2


def test_code_whose_host_dies_is_a_tool_error(
    client: OpenAI, host: httpx2.Client, locum: Locum, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(tool_calls=[code(WAITING)]), Turn(text="It did not work."))
    run = begin(client, host, model)
    locum.stop("sandbox", signal.SIGKILL)
    call = ended(client, run)
    assert "could not be run to its end" in logs(call)
    assert "could not be run to its end" in str(backend.requests(model)[-1]["messages"][-1]["content"])
    assert texts(client, run.thread_id) == ["Wait.", "It did not work."]


def test_a_session_that_ends_in_the_middle_is_opened_once_more(
    client: OpenAI, host: httpx2.Client, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(
        Turn(tool_calls=[code("x = 1")]), Turn(text="Kept."), Turn(tool_calls=[code("print(x)")]), Turn(text="Gone.")
    )
    assistant = client.beta.assistants.create(model=model, tools=[{"type": "code_interpreter"}])
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Keep."}])
    client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    session = host.put(f"/sessions/{thread.id}").json()
    assert not session["created"]
    host.delete(f"/sessions/{session['id']}").raise_for_status()
    again = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert again.status == "completed"
    assert "NameError" in logs(calls(client, again)[0])
    told = str(backend.requests(model)[-1]["messages"][-1]["content"])
    assert "A new Python session" in told
