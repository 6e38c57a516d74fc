"""Runs that break by what they hold, or take their workers with them: they end, and their clients are told."""

import signal
from collections.abc import Callable, Iterator

import httpx2
import psycopg
import pytest
from openai import OpenAI
from openai.types.beta.threads import Run

from tests.api.test_functions import TIME
from tests.api.test_runs import start, texts, wait_until
from tests.api.test_streaming import read
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Call, Turn
from tests.running import Locum

Script = Callable[..., None]

#: What the database of these tests refuses to keep.
POISON = "poison-that-no-row-can-hold"
_REFUSE = f"""
    CREATE FUNCTION refuse_poison() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF to_jsonb(NEW)::text LIKE '%{POISON}%' THEN
            RAISE EXCEPTION 'this cannot be stored' USING ERRCODE = '22000';
        END IF;
        RETURN NEW;
    END $$"""


@pytest.fixture(autouse=True)
def _a_worker_at_the_end(locum: Locum) -> Iterator[None]:
    yield
    if "worker" not in locum.processes:
        locum.start("worker", "worker")
    locum.wait_until_ready()


@pytest.fixture
def _poison(database: psycopg.Connection) -> Iterator[None]:
    """Makes rows of messages and steps that hold POISON impossible."""
    database.execute(_REFUSE)
    for table in ("messages", "run_steps"):
        database.execute(
            f"CREATE TRIGGER refuse_poison BEFORE INSERT OR UPDATE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION refuse_poison()"
        )
    yield
    database.execute("DROP FUNCTION refuse_poison CASCADE")


def ended(client: OpenAI, run: Run, http: httpx2.Client) -> Run:
    """The run once it has failed: with everything closed, and the stream told of its end."""
    found = wait_until(client, run, "failed", 20)
    assert found.failed_at is not None
    assert found.expires_at is None
    assert found.usage is not None
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id).data
    assert {step.status for step in steps} <= {"failed", "completed"}
    messages = client.beta.threads.messages.list(run.thread_id, run_id=run.id).data
    assert all(message.status in ("incomplete", "completed") for message in messages)
    events = read(http, "GET", f"/threads/{run.thread_id}/runs/{run.id}/events")
    assert [event.name for event in events[-2:]] == ["thread.run.failed", "done"]
    return found


@pytest.mark.usefixtures("_poison")
@pytest.mark.parametrize(
    "turns",
    [
        [Turn(text=["Some ", POISON])],
        [Turn(refusal=["Some ", POISON])],
        [Turn(tool_calls=[Call("get_time", {"zone": POISON})])],
        [Turn(tool_calls=[Call(POISON)])],
        [Turn(tool_calls=[Call("nothing")]), Turn(text=["Some ", POISON])],
        [Turn(text=["Some ", POISON], drop_after=3)],
    ],
    ids=["text", "refusal", "arguments", "name", "second turn", "broken off"],
)
def test_a_run_whose_failure_cannot_be_written_with_its_data_fails(
    client: OpenAI, http: httpx2.Client, model: str, script: Script, backend: CompletionBackend, turns: list[Turn]
) -> None:
    script(*turns)
    assistant = client.beta.assistants.create(model=model, tools=[TIME])
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hi"}])
    run = client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id)
    found = ended(client, run, http)
    assert found.last_error is not None
    assert found.last_error.code == "server_error"
    assert len(backend.requests(model)) == len(turns)
    # The thread goes on.
    script(Turn(text="Yes."))
    again = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert again.status == "completed", again.last_error


Kill = Callable[[signal.Signals], None]


@pytest.fixture
def kill_while_it_hangs(locum: Locum, backend: CompletionBackend, model: str, database: psycopg.Connection) -> Kill:
    """Ends the worker in the middle of a turn, and starts another; a lease that it leaves behind lapses at once."""

    def kill(how: signal.Signals) -> None:
        backend.wait_until_hanging(model, timeout=30)
        locum.stop("worker", how)
        database.execute("UPDATE runs SET lease_expires_at = now() WHERE lease_expires_at > now()")
        backend.release(model)
        locum.start("worker", "worker")

    return kill


def test_a_run_that_takes_its_worker_with_it_again_and_again_fails(
    client: OpenAI,
    http: httpx2.Client,
    model: str,
    script: Script,
    backend: CompletionBackend,
    kill_while_it_hangs: Kill,
) -> None:
    script(Turn(text=["Half", " a word"], hang_after=1), repeat=True)
    run = start(client, model)
    for _ in range(4):
        kill_while_it_hangs(signal.SIGKILL)
    found = ended(client, run, http)
    assert found.last_error is not None
    assert "worker was lost" in found.last_error.message
    assert len(backend.requests(model)) == 4
    assert texts(client, run.thread_id) == ["Hi"]


def test_a_run_that_is_handed_back_again_and_again_goes_on(
    client: OpenAI, model: str, script: Script, kill_while_it_hangs: Kill
) -> None:
    script(*[Turn(text=["Half", " a word"], hang_after=1)] * 4, Turn(text="Whole."))
    run = start(client, model)
    for _ in range(4):
        kill_while_it_hangs(signal.SIGTERM)
    wait_until(client, run, "completed", 20)
    assert texts(client, run.thread_id) == ["Hi", "Whole."]


def test_a_run_that_makes_progress_goes_on_however_often_its_worker_is_killed(
    client: OpenAI, model: str, script: Script, kill_while_it_hangs: Kill
) -> None:
    hanging = Turn(text=["Half", " a word"], hang_after=1)
    refused = Turn(tool_calls=[Call("nothing")])
    script(hanging, refused, hanging, refused, hanging, Turn(text="Whole."))
    run = start(client, model)
    for _ in range(3):
        kill_while_it_hangs(signal.SIGKILL)
    wait_until(client, run, "completed", 20)
    assert texts(client, run.thread_id) == ["Hi", "Whole."]


def test_what_breaks_the_ending_of_one_run_keeps_the_sweep_from_no_other(
    client: OpenAI, locum: Locum, model: str, script: Script, backend: CompletionBackend, database: psycopg.Connection
) -> None:
    script(Turn(text=["Half", " a word"], hang_after=1), repeat=True)
    runs = [start(client, model) for _ in range(2)]
    backend.wait_until_hanging(model, 2)
    locum.stop("worker", signal.SIGKILL)
    database.execute("UPDATE run_steps SET step_details = '[]' WHERE run_id = %s", [runs[0].id])
    ids = [run.id for run in runs]
    database.execute("UPDATE runs SET expires_at = now() WHERE id = ANY(%s)", [ids])
    for run in runs:
        wait_until(client, run, "expired")
    found = database.execute("SELECT DISTINCT status FROM run_steps WHERE run_id = ANY(%s)", [ids]).fetchall()
    assert found == [("expired",)]
