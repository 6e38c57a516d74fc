"""What becomes of a run whose worker is killed, stopped, or cut off from Redis: another goes on with it, once."""

import signal
from collections.abc import Callable, Iterator

import httpx2
import psycopg
import pytest
from openai import OpenAI
from openai.types.beta.threads import Run

from app.events import key
from tests.api.test_file_search import FOODS, SEARCH, searches, store
from tests.api.test_functions import TIME, answer
from tests.api.test_runs import start, texts, wait_until
from tests.api.test_streaming import read
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Call, Turn
from tests.running import Locum, wait_for

Script = Callable[..., None]

#: What Locum asks for where LOCUM_EMBEDDINGS_MODEL does not say otherwise.
EMBEDDING_MODEL = "text-embedding-3-small"


@pytest.fixture(autouse=True)
def _a_worker_at_the_end(locum: Locum) -> Iterator[None]:
    yield
    if "worker" not in locum.processes:
        locum.start("worker", "worker")
    locum.wait_until_ready()


def wait_for_half_a_message(client: OpenAI, run: Run) -> None:
    """Returns when the worker has begun to write."""
    wait_for(lambda: len(client.beta.threads.messages.list(run.thread_id).data) == 2, "the half message")


def test_a_run_whose_worker_is_killed_is_finished_by_another(
    client: OpenAI, locum: Locum, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(text=["Half", " a word"], hang_after=1), Turn(text=["A whole ", "answer."]))
    run = start(client, model)
    wait_for_half_a_message(client, run)
    locum.stop("worker", signal.SIGKILL)
    locum.start("worker", "worker")
    wait_until(client, run, "completed", 20)
    assert texts(client, run.thread_id) == ["Hi", "A whole answer."]
    (step,) = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id).data
    assert step.status == "completed"


def test_the_stream_helper_of_the_official_client_survives_a_takeover(
    client: OpenAI, locum: Locum, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(text=["Half", " a word"], hang_after=2), Turn(text="Whole."))
    assistant = client.beta.assistants.create(model=model)
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hi"}])
    with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        for event in stream:
            if event.event == "thread.message.delta" and "worker" in locum.processes:
                backend.wait_until_hanging(model)
                locum.stop("worker", signal.SIGKILL)
                locum.start("second worker", "worker")
            if event.event == "thread.run.completed":
                break
    locum.stop("second worker")
    assert texts(client, thread.id) == ["Hi", "Whole."]


def test_a_worker_that_is_asked_to_stop_hands_its_runs_back(
    client: OpenAI, locum: Locum, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(text=["Half", " a word"], hang_after=1), Turn(text="Whole."))
    run = start(client, model)
    backend.wait_until_hanging(model)
    locum.start("second worker", "worker")
    assert locum.stop("worker", signal.SIGTERM) == 0
    wait_until(client, run, "completed", 10)
    locum.stop("second worker")
    assert texts(client, run.thread_id) == ["Hi", "Whole."]


def test_a_finished_turn_is_not_taken_again(
    client: OpenAI, locum: Locum, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(
        Turn(tool_calls=[Call("get_time")]),
        Turn(text=["It", " is"], hang_after=1),
        Turn(text="It is noon."),
    )
    assistant = client.beta.assistants.create(model=model, tools=[TIME])
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "What time is it?"}])
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    calls = run.required_action.submit_tool_outputs.tool_calls if run.required_action else []
    client.beta.threads.runs.submit_tool_outputs(
        run.id, thread_id=thread.id, tool_outputs=[{"tool_call_id": calls[0].id, "output": "noon"}]
    )
    backend.wait_until_hanging(model)
    locum.stop("worker", signal.SIGKILL)
    locum.start("worker", "worker")
    wait_until(client, run, "completed", 20)
    assert texts(client, thread.id) == ["What time is it?", "It is noon."]
    assert len(backend.requests(model)) == 3
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=thread.id, order="asc").data
    assert [step.type for step in steps] == ["tool_calls", "message_creation"]


def test_a_search_that_is_cut_off_is_made_again_and_its_turn_is_not(
    client: OpenAI,
    locum: Locum,
    model: str,
    script: Script,
    backend: CompletionBackend,
    database: psycopg.Connection,
) -> None:
    script(Turn(tool_calls=[SEARCH, Call("get_time")]), Turn(text="Pizza【0:0】, at noon."))
    facts = store(client, foods=FOODS)
    backend.script(EMBEDDING_MODEL, Turn(delay=30))
    assistant = client.beta.assistants.create(
        model=model,
        tools=[{"type": "file_search"}, TIME],
        tool_resources={"file_search": {"vector_store_ids": [facts]}},
    )
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "What does Ada eat, and when?"}])
    run = client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id)
    kept = "SELECT count(*) FROM run_steps WHERE run_id = %s AND usage IS NOT NULL"
    wait_for(lambda: database.execute(kept, [run.id]).fetchone() == (1,), "the calls to be written down")
    locum.stop("worker", signal.SIGKILL)
    backend.release(EMBEDDING_MODEL)
    backend.forget(EMBEDDING_MODEL)
    locum.start("worker", "worker")
    wait_until(client, run, "requires_action", 20)
    run = answer(client, client.beta.threads.runs.retrieve(run.id, thread_id=thread.id), "noon")
    assert run.status == "completed"
    assert len(backend.requests(model)) == 2
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=thread.id, order="asc").data
    assert [(step.type, step.status) for step in steps] == [
        ("tool_calls", "completed"),
        ("message_creation", "completed"),
    ]
    assert len(searches(client, run)[0].file_search.results or ()) == 1


def test_a_nudge_that_is_lost_costs_no_run(
    client: OpenAI, locum: Locum, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(text="Here."))
    locum.stop("worker")
    run = start(client, model)
    locum.redis().flushall()
    locum.start("worker", "worker")
    wait_until(client, run, "completed", 20)


def test_runs_expire_and_are_cancelled_without_any_worker(
    client: OpenAI, locum: Locum, model: str, database: psycopg.Connection
) -> None:
    locum.stop("worker")
    overdue, unwanted = start(client, model), start(client, model)
    database.execute("UPDATE runs SET expires_at = now() WHERE id = %s", [overdue.id])
    wait_until(client, overdue, "expired")
    client.beta.threads.runs.cancel(unwanted.id, thread_id=unwanted.thread_id)
    wait_until(client, unwanted, "cancelled", 1)


def test_a_cancelled_run_whose_worker_is_killed_is_ended_by_the_sweep(
    client: OpenAI, locum: Locum, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(text=["a", "b"], hang_after=1))
    run = start(client, model)
    wait_for_half_a_message(client, run)
    locum.processes["worker"].send_signal(signal.SIGSTOP)
    client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
    locum.stop("worker", signal.SIGKILL)
    cancelled = wait_until(client, run, "cancelled", 10)
    assert cancelled.cancelled_at is not None
    (step,) = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id).data
    assert step.status == "cancelled"


def test_a_worker_that_slept_through_its_lease_changes_nothing(
    client: OpenAI, locum: Locum, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(text=["Old", " answer"], hang_after=1), Turn(text="New answer."))
    run = start(client, model)
    backend.wait_until_hanging(model)
    sleeper = locum.processes.pop("worker")
    locum.processes["sleeper"] = sleeper
    sleeper.send_signal(signal.SIGSTOP)
    locum.start("worker", "worker")
    wait_until(client, run, "completed", 20)
    backend.release(model)
    sleeper.send_signal(signal.SIGCONT)
    backend.wait_until_idle(model)
    assert locum.stop("sleeper") == 0
    assert texts(client, run.thread_id) == ["Hi", "New answer."]
    found = client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
    assert found.status == "completed"


def test_functions_go_on_after_a_change_of_workers(client: OpenAI, locum: Locum, model: str, script: Script) -> None:
    script(Turn(tool_calls=[Call("get_time")]), Turn(text="Noon."))
    assistant = client.beta.assistants.create(model=model, tools=[TIME])
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Time?"}])
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    locum.stop("worker", signal.SIGKILL)
    locum.start("worker", "worker")
    assert answer(client, run, "noon").status == "completed"


def wait_for_event(locum: Locum, run: Run, name: str) -> None:
    """Returns when the run's log has the event."""
    with locum.redis() as redis:
        wait_for(lambda: any(name.encode() in fields for _, fields in redis.xrange(key(run.id))), name)


def lose_log(locum: Locum, run: Run, first: str) -> None:
    """Takes the last event `first` out of a run's log, and all behind it."""
    with locum.redis() as redis:
        entries = redis.xrange(key(run.id))
        place = max(number for number, (_, fields) in enumerate(entries) if first.encode() in fields)
        redis.xdel(key(run.id), *(entry_id for entry_id, _ in entries[place:]))


@pytest.mark.parametrize("lost", ["thread.run.in_progress", "thread.run.step.created", "everything"])
def test_what_a_lost_worker_had_not_told_of_its_turn_is_not_ended(
    client: OpenAI,
    http: httpx2.Client,
    locum: Locum,
    model: str,
    script: Script,
    backend: CompletionBackend,
    lost: str,
) -> None:
    script(Turn(text=["Half", " a word"], hang_after=1), Turn(text="Whole."))
    run = start(client, model)
    wait_for_event(locum, run, "thread.message.delta")
    locum.stop("worker", signal.SIGKILL)
    if lost == "everything":
        locum.redis().flushall()
    else:
        lose_log(locum, run, lost)
    locum.start("worker", "worker")
    wait_until(client, run, "completed", 20)
    names = [event.name for event in read(http, "GET", f"/threads/{run.thread_id}/runs/{run.id}/events")]
    assert names[:2] == ["thread.run.created", "thread.run.queued"]
    assert "thread.message.incomplete" not in names
    assert names.count("thread.message.completed") == 1
    assert names[-2:] == ["thread.run.completed", "done"]


def test_what_a_lost_worker_had_not_told_of_earlier_turns_is_told_from_the_rows(
    client: OpenAI,
    http: httpx2.Client,
    locum: Locum,
    model: str,
    script: Script,
    backend: CompletionBackend,
) -> None:
    script(Turn(tool_calls=[SEARCH]), Turn(text=["Piz", "za."], hang_after=1), Turn(text="Pizza."))
    assistant = client.beta.assistants.create(
        model=model,
        tools=[{"type": "file_search"}],
        tool_resources={"file_search": {"vector_store_ids": [store(client, foods=FOODS)]}},
    )
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "What does Ada eat?"}])
    run = client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id)
    wait_for_event(locum, run, "thread.message.delta")
    locum.stop("worker", signal.SIGKILL)
    lose_log(locum, run, "thread.run.step.completed")
    locum.start("worker", "worker")
    wait_until(client, run, "completed", 20)
    events = read(http, "GET", f"/threads/{run.thread_id}/runs/{run.id}/events")
    ended = [event.json()["type"] for event in events if event.name == "thread.run.step.completed"]
    assert ended == ["tool_calls", "message_creation"]
    assert [event.name for event in events[-2:]] == ["thread.run.completed", "done"]


@pytest.mark.parametrize("ending", ["completed", "expired"])
def test_a_turn_that_was_dropped_by_a_worker_that_could_not_tell_is_ended_for_who_saw_it(
    client: OpenAI,
    http: httpx2.Client,
    locum: Locum,
    model: str,
    script: Script,
    backend: CompletionBackend,
    database: psycopg.Connection,
    ending: str,
) -> None:
    script(Turn(text=["Half", " a word"], hang_after=1), Turn(text="Whole."))
    run = start(client, model)
    wait_for_event(locum, run, "thread.message.delta")
    locum.stop("worker", signal.SIGKILL)
    database.execute("DELETE FROM run_steps WHERE run_id = %s", [run.id])
    database.execute("DELETE FROM messages WHERE run_id = %s", [run.id])
    if ending == "expired":
        database.execute("UPDATE runs SET expires_at = now() WHERE id = %s", [run.id])
    locum.start("worker", "worker")
    wait_until(client, run, ending, 20)
    names = [event.name for event in read(http, "GET", f"/threads/{run.thread_id}/runs/{run.id}/events")]
    half = names.index("thread.message.incomplete")
    assert names[half + 1] == "thread.run.step.failed"
    assert names[-2:] == [f"thread.run.{ending}", "done"]
