"""Runs on model servers as they are: what they want back, what they refuse, and what is learnt of it."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx2
import orjson
import psycopg
import pytest
from openai import OpenAI
from openai.types.beta.threads import Run

from tests.api.test_functions import TIME, answer, ask
from tests.api.test_runs import run_on, texts
from tests.api.test_streaming import prepared, read
from tests.backends.fuzz_streams import play
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Call, Turn
from tests.running import Locum

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


@pytest.mark.parametrize(
    "strictness",
    ["alternating", "alternating_after_system", "no_system", "plain_roles"],
)
def test_a_chat_template_is_learnt_once(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend, strictness: Any
) -> None:
    backend.be_strict(model, strictness)
    script(Turn(text="Noon."), repeat=True)
    assistant = client.beta.assistants.create(model=model, instructions="Be brief.")
    thread = client.beta.threads.create(
        messages=[
            {"role": "assistant", "content": "Welcome."},
            {"role": "user", "content": "Hi."},
            {"role": "user", "content": "What time is it?"},
        ]
    )
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "completed", run.last_error
    tries = len(backend.requests(model))
    assert 2 <= tries <= 4
    assert all(
        said in str(backend.requests(model)[-1]["messages"]) for said in ("brief", "Welcome", "Hi.", "What time")
    )
    assert _run_again(client, run).status == "completed"
    assert len(backend.requests(model)) == tries + 1


def test_a_template_without_tools_is_told_of_calls_in_text(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend
) -> None:
    backend.be_strict(model, "alternating")
    script(Turn(tool_calls=[Call("get_time")]), Turn(text="Noon."))
    run = answer(client, ask(client, model), "12:00 sharp")
    assert run.status == "completed", run.last_error
    assert "12:00 sharp" in backend.requests(model)[-1]["messages"][-1]["content"]


def test_an_assistants_message_at_the_end(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend
) -> None:
    backend.be_strict(model, "user_last")
    script(Turn(text="Noon."), repeat=True)
    assistant = client.beta.assistants.create(model=model)
    messages: Any = [{"role": "user", "content": "Time?"}, {"role": "assistant", "content": "It is"}]
    thread = client.beta.threads.create(messages=messages)
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "completed", run.last_error
    assert len(backend.requests(model)) == 2


@pytest.mark.parametrize(
    "strictness", ["nine_ids", "reasoning_back", "signatures_back", "no_reasoning", "text_content"]
)
def test_what_is_wanted_of_turns_with_calls_is_learnt(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend, strictness: Any
) -> None:
    """Also where the server has given nothing that could be given back."""
    backend.be_strict(model, strictness)
    thoughts = "Hm." if strictness == "no_reasoning" else ""
    turn = Turn(reasoning=thoughts, tool_calls=[Call("get_time", id="x" * 40)])
    script(turn, turn, Turn(text="Noon."))
    run = ask(client, model)
    run = answer(client, run, "12")
    assert run.status == "requires_action", run.last_error
    assert len(backend.requests(model)) == 3
    run = answer(client, run, "12")
    assert run.status == "completed", run.last_error
    assert len(backend.requests(model)) == 4


def test_strict_is_left_out_where_it_is_refused(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend
) -> None:
    backend.be_strict(model, "no_strict")
    script(Turn(text="Noon."), repeat=True)
    schema = {"type": "object", "properties": {}, "additionalProperties": False, "required": []}
    strict: Any = {"type": "function", "function": {"name": "f", "strict": True, "parameters": schema}}
    assistant = client.beta.assistants.create(model=model, tools=[strict])
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hi"}])
    for requests in (2, 3):
        run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
        assert run.status == "completed", run.last_error
        assert len(backend.requests(model)) == requests
    assert backend.requests(model)[-1]["tools"][0]["function"]["parameters"] == schema


def test_a_model_without_tools_has_them_emulated(
    client: OpenAI, locum: Locum, model: str, script: Script, backend: CompletionBackend
) -> None:
    backend.be_strict(model, "no_tools")
    call = orjson.dumps({"tool_calls": [{"name": "get_time", "arguments": {}}]}).decode()
    script(Turn(text=call), Turn(text='{"answer": "Noon."}'), Turn(text='{"answer": "Hi."}'))
    run = ask(client, model)
    assert run.status == "requires_action", run.last_error
    assert len(backend.requests(model)) == 2
    run = answer(client, run, "12")
    assert run.status == "completed", run.last_error
    assert _run_again(client, run).status == "completed"
    assert texts(client, run.thread_id)[-1] == "Hi."
    assert all("tools" not in request for request in backend.requests(model)[1:])
    assert len(backend.requests(model)) == 4
    doctor = [sys.executable, "-m", "app.cli", "doctor"]
    told = subprocess.run(doctor, env=locum.environment, cwd=locum.logs, capture_output=True, text=True, check=False)
    assert f"{model}: it calls no functions by itself" in told.stdout


LONG = "A long story about a small town. " * 40


@pytest.mark.parametrize("truncation", [None, {"type": "last_messages", "last_messages": 30}])
def test_the_window_is_learnt_and_the_thread_goes_on(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend, truncation: Any
) -> None:
    backend.be_strict(model, window=3000)
    script(Turn(text="The end."), repeat=True)
    assistant = client.beta.assistants.create(model=model)
    thread = client.beta.threads.create(messages=[{"role": "user", "content": f"{n}. {LONG}"} for n in range(20)])
    options = {} if truncation is None else {"truncation_strategy": truncation}
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id, **options)
    assert run.status == "completed", run.last_error
    tries = len(backend.requests(model))
    assert tries == 2
    first, last = backend.requests(model)[-1]["messages"][0], backend.requests(model)[-1]["messages"][-1]
    assert first["content"].startswith("0. ")
    assert last["content"].startswith("19. ")
    assert _run_again(client, run).status == "completed"
    assert len(backend.requests(model)) == tries + 1


def test_a_limit_that_does_not_fit_the_window(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend
) -> None:
    backend.be_strict(model, window=2000)
    script(Turn(text="The end."), repeat=True)
    run = run_on(client, model, max_completion_tokens=4000)
    assert run.status == "completed", run.last_error
    asked = [request["max_tokens"] for request in backend.requests(model)]
    assert asked[0] == 4000
    assert 1000 < asked[1] < 2000
    assert len(asked) == 2


def test_one_message_that_is_larger_than_the_window(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend
) -> None:
    """It cannot be cut: the run fails and says why. What follows it in the thread is not broken by it."""
    backend.be_strict(model, window=1000)
    script(Turn(text="Fine."), repeat=True)
    run = run_on(client, model, text=LONG * 10)
    assert run.status == "failed"
    assert run.last_error is not None
    assert run.last_error.code == "invalid_prompt"
    assert "cannot be cut" in run.last_error.message
    assert "1000 tokens" in run.last_error.message
    assert len(backend.requests(model)) <= 3
    assert _run_again(client, run).status == "completed"


def test_odd_answers_through_the_whole_stack(locum: Locum, backend: CompletionBackend) -> None:
    """Some of those that tests.backends.test_odd_servers reads. All: `python -m tests.backends.fuzz_streams`."""
    played = play(locum, backend, range(0, 10_000, 100), at_once=8)
    assert len(played) == 100
    assert [wrong for wrong in played.values() if wrong is not None] == []
