"""Runs on model servers as they are: what they want back, what they refuse, and what is learnt of it."""

from collections.abc import Callable
from typing import Any

import httpx2
import psycopg
import pytest
from openai import OpenAI
from openai.types.beta.threads import Run

from tests.api.test_functions import TIME, answer, ask
from tests.api.test_runs import run_on, texts
from tests.api.test_streaming import prepared, read
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Call, Turn

Script = Callable[..., None]

SIGNED = {"extra_content": {"google": {"thought_signature": "c2lnbmVk"}}}


def _told_back(backend: CompletionBackend, model: str) -> dict[str, Any]:
    """The assistant's message with calls, as the last request tells it."""
    messages = backend.requests(model)[-1]["messages"]
    return next(message for message in messages if message.get("tool_calls"))


def test_what_a_server_wants_back_is_given_back(
    client: OpenAI,
    http: httpx2.Client,
    model: str,
    script: Script,
    backend: CompletionBackend,
    database: psycopg.Connection,
) -> None:
    backend.be_strict(model, "nine_ids", "reasoning_back", "signatures_back")
    calls = [Call("get_weather", {"city": "Oslo"}, id="D681PevKs", extra=SIGNED), Call("get_time", id="D681PevKt")]
    script(Turn(reasoning=["I need ", "the weather."], tool_calls=calls), Turn(text="Sunny, at noon."))
    run = ask(client, model)
    paused = http.get(f"/threads/{run.thread_id}/runs/{run.id}/steps").text
    run = answer(client, run, "sunny", "noon")
    assert run.status == "completed"
    told = _told_back(backend, model)
    assert told["reasoning_content"] == "I need the weather."
    assert [call["id"] for call in told["tool_calls"]] == ["D681PevKs", "D681PevKt"]
    assert told["tool_calls"][0]["extra_content"] == SIGNED["extra_content"]
    answers = backend.requests(model)[-1]["messages"][-2:]
    assert [(message["tool_call_id"], message["content"]) for message in answers] == [
        ("D681PevKs", "sunny"),
        ("D681PevKt", "noon"),
    ]
    # Clients see ids of Locum's, and nothing of the rest.
    (kept,) = database.execute("SELECT step_details FROM run_steps WHERE run_id = %s ORDER BY seq", [run.id]).fetchone()  # type: ignore[misc]
    assert kept["tool_calls"][0]["upstream"]["id"] == "D681PevKs"
    done = http.get(f"/threads/{run.thread_id}/runs/{run.id}/steps").text
    events = http.get(f"/threads/{run.thread_id}/runs/{run.id}").text
    for shown in (paused, done, events):
        assert not any(secret in shown for secret in ("D681Pev", "upstream", "c2ln", "I need"))
    assert '"call_' in paused


def test_events_show_nothing_of_it(
    client: OpenAI, http: httpx2.Client, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(reasoning="I need it.", tool_calls=[Call("get_time", id="D681PevKs", extra=SIGNED)]))
    assistant, thread = prepared(client, model, tools=[TIME])
    events = read(http, "POST", f"/threads/{thread}/runs", json={"assistant_id": assistant, "stream": True})
    shown = "".join(event.data for event in events)
    assert events[-2].name == "thread.run.requires_action"
    assert not any(secret in shown for secret in ("D681Pev", "upstream", "c2ln", "I need"))


@pytest.mark.parametrize("before", ["", "\n\n", "<think></think>\n", "<think>Hm: what time?</think>\n\n"])
def test_white_space_before_calls_makes_no_message(client: OpenAI, model: str, script: Script, before: str) -> None:
    script(Turn(text=list(before), tool_calls=[Call("get_time")]), Turn(text="Noon."))
    run = answer(client, ask(client, model), "noon")
    assert run.status == "completed"
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, order="asc").data
    assert [step.type for step in steps] == ["tool_calls", "message_creation"]
    assert texts(client, run.thread_id) == ["How is Oslo?", "Noon."]


@pytest.mark.parametrize(("said", "kept"), [("", ""), ("\n", "\n"), ("<think></think>\n\n", "")])
def test_a_run_that_says_nothing_has_a_message_with_one_part(
    client: OpenAI, http: httpx2.Client, model: str, script: Script, said: str, kept: str
) -> None:
    script(Turn(text=said), repeat=True)
    run = run_on(client, model)
    assert run.status == "completed"
    (message,) = client.beta.threads.messages.list(run.thread_id, run_id=run.id).data
    (part,) = message.content
    assert part.type == "text"
    assert (part.text.value, part.text.annotations) == (kept, [])
    assistant, thread = prepared(client, model)
    events = read(http, "POST", f"/threads/{thread}/runs", json={"assistant_id": assistant, "stream": True})
    told = next(event.json() for event in events if event.name == "thread.message.completed")
    assert told["content"] == [{"type": "text", "text": {"value": kept, "annotations": []}}]


def _run_again(client: OpenAI, run: Run) -> Run:
    assert run.assistant_id
    client.beta.threads.messages.create(run.thread_id, role="user", content="And now?")
    return client.beta.threads.runs.create_and_poll(thread_id=run.thread_id, assistant_id=run.assistant_id)
