"""Streamed runs: which events come, in which order, and what happens to a reader that goes away."""

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import httpx2
import orjson
import pytest
from openai import AssistantEventHandler, BadRequestError, NotFoundError, OpenAI
from openai.types.beta.threads import Text, TextDelta

from app.events import key
from tests.api.test_functions import TIME, WEATHER
from tests.api.test_runs import texts, wait_until
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Call, Turn
from tests.running import Locum

Script = Callable[..., None]


class Event(NamedTuple):
    """A server-sent event as it came."""

    id: str | None
    name: str
    data: str

    def json(self) -> Any:
        return orjson.loads(self.data)


def events_of(response: httpx2.Response) -> Iterator[Event]:
    """The events of an SSE response, by the rules of WHATWG HTML 9.2."""
    fields: dict[str, str] = {}
    for line in response.iter_lines():
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif fields:
            yield Event(fields.get("id"), fields["event"], fields["data"])
            fields = {}


def read(http: httpx2.Client, method: str, path: str, **options: Any) -> list[Event]:
    """All events of a streamed answer."""
    with http.stream(method, path, **options) as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        return list(events_of(response))


def prepared(client: OpenAI, model: str, **options: Any) -> tuple[str, str]:
    """An assistant and a thread to run it on."""
    assistant = client.beta.assistants.create(model=model, **options)
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hi"}])
    return assistant.id, thread.id


TEXT_RUN = [
    "thread.run.created",
    "thread.run.queued",
    "thread.run.in_progress",
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.delta",
    "thread.message.completed",
    "thread.run.step.completed",
    "thread.run.completed",
    "done",
]


def without_repeats(names: list[str]) -> list[str]:
    """Deltas that follow each other count as one: how many there are depends on how fast they come."""
    return [name for at, name in enumerate(names) if at == 0 or name != names[at - 1]]


def test_the_events_of_a_text_run(client: OpenAI, http: httpx2.Client, model: str, script: Script) -> None:
    script(Turn(text=["Good ", "day", "!"], usage=(7, 3), delay=0.01))
    assistant_id, thread_id = prepared(client, model)
    body = {"assistant_id": assistant_id, "stream": True}
    events = read(http, "POST", f"/threads/{thread_id}/runs", json=body)
    assert without_repeats([event.name for event in events]) == TEXT_RUN
    payload = {event.name: event.json() for event in events if event.name != "done"}
    assert payload["thread.run.created"]["status"] == "queued"
    assert payload["thread.run.in_progress"]["started_at"] is not None
    assert payload["thread.message.created"]["content"] == []
    assert payload["thread.run.step.in_progress"]["usage"] is None
    assert payload["thread.message.completed"]["content"][0]["text"]["value"] == "Good day!"
    assert payload["thread.run.step.completed"]["usage"]["total_tokens"] == 10
    assert payload["thread.run.completed"]["usage"]["total_tokens"] == 10
    assert events[-1].data == "[DONE]"
    deltas = [event.json()["delta"]["content"] for event in events if event.name == "thread.message.delta"]
    assert "".join(parts[0]["text"]["value"] for parts in deltas) == "Good day!"
    assert deltas[0][0]["text"]["annotations"] == []
    assert all("annotations" not in parts[0]["text"] for parts in deltas[1:])
    assert all((parts[0]["index"], parts[0]["type"]) == (0, "text") for parts in deltas)


def test_a_thread_made_with_its_run_is_the_first_event(
    client: OpenAI, http: httpx2.Client, model: str, script: Script
) -> None:
    script(Turn(text="Hi"))
    assistant = client.beta.assistants.create(model=model)
    body = {
        "assistant_id": assistant.id,
        "thread": {"messages": [{"role": "user", "content": "Hi"}], "metadata": {"a": "b"}},
        "stream": True,
    }
    events = read(http, "POST", "/threads/runs", json=body)
    assert without_repeats([event.name for event in events]) == ["thread.created", *TEXT_RUN]
    assert events[0].json()["metadata"] == {"a": "b"}


def test_the_events_of_a_function_run(client: OpenAI, http: httpx2.Client, model: str, script: Script) -> None:
    calls = [Call("get_weather", {"city": "Oslo"}), Call("get_time", {})]
    script(Turn(tool_calls=calls, usage=(8, 4)), Turn(text="Sunny."))
    assistant_id, thread_id = prepared(client, model, tools=[WEATHER, TIME])
    body = {"assistant_id": assistant_id, "stream": True}
    events = read(http, "POST", f"/threads/{thread_id}/runs", json=body)
    assert without_repeats([event.name for event in events]) == [
        *TEXT_RUN[:5],
        "thread.run.step.delta",
        "thread.run.requires_action",
        "done",
    ]
    assert events[4].json()["step_details"] == {"type": "tool_calls", "tool_calls": []}
    deltas = [event.json()["delta"]["step_details"] for event in events if event.name == "thread.run.step.delta"]
    pieces = [call for delta in deltas for call in delta["tool_calls"]]
    for index, call in enumerate(calls):
        mine = [piece for piece in pieces if piece["index"] == index]
        assert "id" in mine[0]
        assert mine[0]["function"]["name"] == call.name
        assert mine[0]["function"]["output"] is None
        assert all("id" not in piece and "name" not in piece["function"] for piece in mine[1:])
        assert "".join(piece["function"]["arguments"] for piece in mine) == call.json
    run = events[-2].json()
    asked = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert [call["function"]["name"] for call in asked] == ["get_weather", "get_time"]

    outputs = [{"tool_call_id": call["id"], "output": "x"} for call in asked]
    path = f"/threads/{thread_id}/runs/{run['id']}/submit_tool_outputs"
    events = read(http, "POST", path, json={"tool_outputs": outputs, "stream": True})
    assert without_repeats([event.name for event in events]) == ["thread.run.step.completed", *TEXT_RUN[1:]]
    closed = events[0].json()
    assert [call["function"]["output"] for call in closed["step_details"]["tool_calls"]] == ["x", "x"]
    assert closed["usage"]["total_tokens"] == 12
    assert events[1].json()["status"] == "queued"


def test_the_text_before_a_call_is_closed_before_the_call_begins(
    client: OpenAI, http: httpx2.Client, model: str, script: Script
) -> None:
    script(Turn(text=["Let me ", "look."], tool_calls=[Call("get_time")]))
    assistant_id, thread_id = prepared(client, model, tools=[TIME])
    body = {"assistant_id": assistant_id, "stream": True}
    events = read(http, "POST", f"/threads/{thread_id}/runs", json=body)
    assert without_repeats([event.name for event in events]) == [
        *TEXT_RUN[:10],
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.run.step.delta",
        "thread.run.requires_action",
        "done",
    ]


def test_refusals_are_streamed(client: OpenAI, http: httpx2.Client, model: str, script: Script) -> None:
    script(Turn(refusal=["I'd ", "rather not."], delay=0.01))
    assistant_id, thread_id = prepared(client, model)
    body = {"assistant_id": assistant_id, "stream": True}
    events = read(http, "POST", f"/threads/{thread_id}/runs", json=body)
    deltas = [event.json()["delta"]["content"][0] for event in events if event.name == "thread.message.delta"]
    assert "".join(delta["refusal"] for delta in deltas) == "I'd rather not."
    assert {(delta["index"], delta["type"]) for delta in deltas} == {(0, "refusal")}


def test_a_failure_is_streamed_to_its_end(client: OpenAI, http: httpx2.Client, model: str, script: Script) -> None:
    script(Turn(text=["a", "b", "c"], drop_after=2, delay=0.05))
    assistant_id, thread_id = prepared(client, model)
    body = {"assistant_id": assistant_id, "stream": True}
    events = read(http, "POST", f"/threads/{thread_id}/runs", json=body)
    assert [event.name for event in events][-4:] == [
        "thread.message.incomplete",
        "thread.run.step.failed",
        "thread.run.failed",
        "done",
    ]
    assert events[-2].json()["last_error"]["code"] == "server_error"


def test_a_cancel_is_streamed(
    client: OpenAI, http: httpx2.Client, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(text=["a", "b"], hang_after=1))
    assistant_id, thread_id = prepared(client, model)
    body = {"assistant_id": assistant_id, "stream": True}
    names: list[str] = []
    run_id = ""
    with http.stream("POST", f"/threads/{thread_id}/runs", json=body) as response:
        for event in events_of(response):
            names.append(event.name)
            if event.name == "thread.message.delta":
                client.beta.threads.runs.cancel(run_id, thread_id=thread_id)
            elif event.name == "thread.run.created":
                run_id = event.json()["id"]
    assert names[-5:] == [
        "thread.run.cancelling",
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
        "done",
    ]


def test_errors_before_the_first_event_are_plain_answers(client: OpenAI, model: str) -> None:
    assistant_id, thread_id = prepared(client, model)
    with pytest.raises(NotFoundError):
        client.beta.threads.runs.create(thread_id=thread_id, assistant_id="asst_missing", stream=True)
    with pytest.raises(BadRequestError):
        client.beta.threads.runs.create(thread_id=thread_id, assistant_id=assistant_id, temperature=9, stream=True)


def test_a_reader_that_goes_away_does_not_stop_the_run(
    client: OpenAI, http: httpx2.Client, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(text=["a", "b", "c"], hang_after=1))
    assistant_id, thread_id = prepared(client, model)
    body = {"assistant_id": assistant_id, "stream": True}
    with http.stream("POST", f"/threads/{thread_id}/runs", json=body) as response:
        run_id = next(events_of(response)).json()["id"]
    backend.wait_until_hanging(model)
    backend.release(model)
    wait_until(client, client.beta.threads.runs.retrieve(run_id, thread_id=thread_id), "completed")
    assert texts(client, thread_id)[-1] == "abc"


@pytest.mark.parametrize("taken", [1, 4, 7, 9, 12])
def test_a_cut_stream_is_resumed_where_it_was_cut(
    client: OpenAI, http: httpx2.Client, model: str, script: Script, taken: int
) -> None:
    script(Turn(text=["Good ", "day", "!"], delay=0.01))
    assistant_id, thread_id = prepared(client, model)
    body = {"assistant_id": assistant_id, "stream": True}
    events = read(http, "POST", f"/threads/{thread_id}/runs", json=body)
    assert all(event.id for event in events)
    path = f"/threads/{thread_id}/runs/{events[0].json()['id']}/events"
    assert read(http, "GET", path) == events
    cut = events[min(taken, len(events) - 1) - 1]
    assert read(http, "GET", path, headers={"Last-Event-ID": str(cut.id)}) == events[events.index(cut) + 1 :]


def test_a_stream_whose_log_is_lost_is_finished_from_the_database(
    client: OpenAI, http: httpx2.Client, locum: Locum, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(text=["a", "b", "c"], hang_after=1))
    assistant_id, thread_id = prepared(client, model)
    body = {"assistant_id": assistant_id, "stream": True}
    names = []
    with http.stream("POST", f"/threads/{thread_id}/runs", json=body) as response:
        for event in events_of(response):
            names.append(event.name)
            if event.name == "thread.run.created":
                run_id = event.json()["id"]
            if event.name == "thread.message.delta" and "thread.message.completed" not in names:
                locum.redis().flushall()
                backend.release(model)
            if event.name == "thread.message.completed":
                assert event.json()["content"][0]["text"]["value"] == "abc"
    assert names[-2:] == ["thread.run.completed", "done"]
    assert names.count("thread.message.completed") == 1
    again = read(http, "GET", f"/threads/{thread_id}/runs/{run_id}/events")
    assert [event.name for event in again][-2:] == ["thread.run.completed", "done"]


def test_a_stream_whose_log_lacks_its_beginning_has_it_from_the_database(
    client: OpenAI, http: httpx2.Client, locum: Locum, model: str, script: Script
) -> None:
    script(Turn(text="Hi"))
    assistant_id, thread_id = prepared(client, model)
    body = {"assistant_id": assistant_id, "stream": True}
    events = read(http, "POST", f"/threads/{thread_id}/runs", json=body)
    run_id = events[0].json()["id"]
    with locum.redis() as redis:
        assert redis.xdel(key(run_id), "0-1", "0-2") == 2
    again = read(http, "GET", f"/threads/{thread_id}/runs/{run_id}/events")
    assert again[2:] == events[2:]
    for made, told in zip(again[:2], events[:2], strict=True):
        assert (made.id, made.name) == (told.id, told.name)
        assert made.json() == {**told.json(), "expires_at": None}


def test_deleting_the_thread_ends_the_stream_with_an_error_and_leaves_no_events(
    client: OpenAI, http: httpx2.Client, locum: Locum, model: str, script: Script, backend: CompletionBackend
) -> None:
    script(Turn(text=["a", "b"], hang_after=1))
    assistant_id, thread_id = prepared(client, model)
    body = {"assistant_id": assistant_id, "stream": True}
    names: list[str] = []
    with http.stream("POST", f"/threads/{thread_id}/runs", json=body) as response:
        for event in events_of(response):
            names.append(event.name)
            if event.name == "thread.run.created":
                run_id = event.json()["id"]
            if event.name == "thread.message.delta":
                client.beta.threads.delete(thread_id)
            if event.name == "error":
                error = event.json()
    assert names[-2:] == ["error", "done"]
    assert error["error"]["code"] == error["code"] == "thread_deleted"
    backend.wait_until_idle(model, 2)
    with locum.redis() as redis:
        assert redis.xlen(key(run_id)) == 0
        assert redis.ttl(key(run_id)) > 0


# The helpers of the official client.


class Recorder(AssistantEventHandler):
    """Notes the hooks that are called."""

    def __init__(self) -> None:
        super().__init__()
        self.hooks: list[str] = []

    def on_text_created(self, text: Text) -> None:
        assert text.annotations == []
        self.hooks.append("text_created")

    def on_text_delta(self, delta: TextDelta, snapshot: Text) -> None:
        assert delta.value is not None
        assert snapshot.value.endswith(delta.value)
        self.hooks.append("text_delta")

    def on_text_done(self, text: Text) -> None:
        self.hooks.append(f"text_done: {text.value}")

    def on_tool_call_created(self, tool_call: Any) -> None:
        self.hooks.append(f"tool_call_created: {tool_call.function.name}")

    def on_tool_call_done(self, tool_call: Any) -> None:
        self.hooks.append(f"tool_call_done: {tool_call.function.name}({tool_call.function.arguments})")

    def on_end(self) -> None:
        self.hooks.append("end")


def test_event_handlers_of_the_client(client: OpenAI, model: str, script: Script) -> None:
    script(
        Turn(text=["Let ", "me see."], tool_calls=[Call("get_weather", {"city": "Oslo"})]), Turn(text=["Sun", "ny."])
    )
    assistant_id, thread_id = prepared(client, model, tools=[WEATHER])
    first = Recorder()
    with client.beta.threads.runs.stream(thread_id=thread_id, assistant_id=assistant_id, event_handler=first) as stream:
        stream.until_done()
    run = first.current_run
    assert run is not None
    assert run.status == "requires_action"
    assert run.required_action is not None
    assert without_repeats(first.hooks) == [
        "text_created",
        "text_delta",
        "text_done: Let me see.",
        "tool_call_created: get_weather",
        'tool_call_done: get_weather({"city":"Oslo"})',
        "end",
    ]
    second = Recorder()
    with client.beta.threads.runs.submit_tool_outputs_stream(
        run_id=run.id,
        thread_id=thread_id,
        tool_outputs=[
            {"tool_call_id": call.id, "output": "x"} for call in run.required_action.submit_tool_outputs.tool_calls
        ],
        event_handler=second,
    ) as stream:
        stream.until_done()
        final = stream.get_final_run()
        messages = stream.get_final_messages()
    assert final.status == "completed"
    assert without_repeats(second.hooks) == ["text_created", "text_delta", "text_done: Sunny.", "end"]
    assert len(messages) == 1


def test_create_and_run_stream_of_the_client(client: OpenAI, model: str, script: Script) -> None:
    script(Turn(text=["Hel", "lo"]))
    assistant = client.beta.assistants.create(model=model)
    with client.beta.threads.create_and_run_stream(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "Hi"}]}
    ) as stream:
        assert "".join(stream.text_deltas) == "Hello"


def test_many_streams_at_once_stay_apart(client: OpenAI, model: str, backend: CompletionBackend) -> None:

    assistant = client.beta.assistants.create(model="echo")

    def talk(number: int) -> str:
        with client.beta.threads.create_and_run_stream(
            assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": f"number {number}"}]}
        ) as stream:
            return "".join(stream.text_deltas)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(talk, range(60)))
    assert answers == [f"You said: number {number}" for number in range(60)]


def test_a_long_silence_is_nothing_to_the_client(
    client: OpenAI, http: httpx2.Client, locum: Locum, model: str, script: Script
) -> None:
    script(Turn(text="At last."))
    assistant_id, thread_id = prepared(client, model)
    worker = locum.processes["worker"]
    worker.send_signal(signal.SIGSTOP)
    try:
        with client.beta.threads.runs.stream(thread_id=thread_id, assistant_id=assistant_id) as stream:
            for event in stream:
                if event.event == "thread.run.queued":
                    # Who joins later is kept alive later: by then this stream has been, behind events with ids.
                    _wait_for_comment(http, f"/threads/{thread_id}/runs/{event.data.id}/events")
                    worker.send_signal(signal.SIGCONT)
            (message,) = stream.get_final_messages()
    finally:
        worker.send_signal(signal.SIGCONT)
    assert message.content[0].type == "text"
    assert message.content[0].text.value == "At last."


def _wait_for_comment(http: httpx2.Client, path: str) -> None:
    with http.stream("GET", path) as response:
        assert any(line.startswith(":") for line in response.iter_lines())
