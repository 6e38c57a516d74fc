"""Chat completions with functions, on a route whose model calls none by itself."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from openai import APIError, APITimeoutError, BadRequestError, InternalServerError, OpenAI

from tests.fakes.completion_backend import CompletionBackend, Turn

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
ASKED: Any = [{"role": "user", "content": "Is it raining in Bonn?"}]
CALL = json.dumps({"tool_calls": [{"name": "weather", "arguments": {"city": "Bonn"}}]})
ANSWER = json.dumps({"answer": "It rains."})


@pytest.fixture
def emulated(backend: CompletionBackend, model: str) -> Iterator[str]:
    name = f"emulated-{model}"
    yield name
    backend.release(name)
    backend.forget(name)


def test_a_call_and_its_answer(client: OpenAI, backend: CompletionBackend, emulated: str) -> None:
    backend.script(emulated, Turn(text=CALL, usage=(7, 4)), Turn(text=ANSWER))
    first = client.chat.completions.create(model=emulated, messages=ASKED, tools=[WEATHER], seed=3, max_tokens=99)
    choice = first.choices[0]
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    assert choice.message.tool_calls is not None
    (call,) = choice.message.tool_calls
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Bonn"})
    assert first.usage is not None
    assert first.usage.total_tokens == 11

    output = {"role": "tool", "tool_call_id": call.id, "content": "heavy rain"}
    told: Any = [*ASKED, choice.message.model_dump(exclude_none=True), output]
    second = client.chat.completions.create(model=emulated, messages=told, tools=[WEATHER])
    assert (second.choices[0].message.content, second.choices[0].finish_reason) == ("It rains.", "stop")
    sent = backend.requests(emulated)
    assert all("tools" not in request for request in sent)
    assert (sent[0]["seed"], sent[0]["max_tokens"]) == (3, 99)
    assert "heavy rain" in sent[1]["messages"][-1]["content"]


def test_streams(client: OpenAI, backend: CompletionBackend, emulated: str) -> None:
    backend.script(emulated, Turn(text=CALL), Turn(text=[ANSWER[:14], ANSWER[14:]]))
    with client.chat.completions.stream(model=emulated, messages=ASKED, tools=[WEATHER]) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.tool_calls is not None
    assert json.loads(message.tool_calls[0].function.arguments) == {"city": "Bonn"}
    chunks = list(
        client.chat.completions.create(
            model=emulated, messages=ASKED, tools=[WEATHER], stream=True, stream_options={"include_usage": True}
        )
    )
    said = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(said) == "It rains."
    assert chunks[-1].usage is not None
    assert len({chunk.id for chunk in chunks}) == 1


@pytest.mark.parametrize("heard", [0, 1])
def test_a_client_that_leaves_ends_the_call(
    client: OpenAI, backend: CompletionBackend, emulated: str, heard: int
) -> None:
    """Before the first token as well as in the middle of the answer."""
    backend.script(emulated, Turn(text=[ANSWER[:14], ANSWER[14:]], hang_after=heard))
    if heard:
        stream = client.chat.completions.create(model=emulated, messages=ASKED, tools=[WEATHER], stream=True)
        said = (chunk.choices[0].delta.content for chunk in stream)
        assert next(text for text in said if text) == "It"
        stream.close()
    else:
        with pytest.raises(APITimeoutError):
            client.with_options(timeout=0.5).chat.completions.create(model=emulated, messages=ASKED, tools=[WEATHER])
    backend.wait_until_idle(emulated, timeout=1.5)


def test_the_history_of_calls_is_told_without_functions(
    client: OpenAI, backend: CompletionBackend, emulated: str
) -> None:
    backend.script(emulated, Turn(text="Yes."))
    made = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    told: Any = [
        *ASKED,
        {"role": "assistant", "tool_calls": [made]},
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
    ]
    answer = client.chat.completions.create(model=emulated, messages=told)
    assert answer.choices[0].message.content == "Yes."
    assert [message["role"] for message in backend.requests(emulated)[0]["messages"]] == ["user"]


def test_without_functions_it_is_passed_through(client: OpenAI, backend: CompletionBackend, emulated: str) -> None:
    backend.script(emulated, Turn(text="Hi."))
    client.chat.completions.create(model=emulated, messages=ASKED, stop=["."], logprobs=True)
    assert backend.requests(emulated) == [{"model": emulated, "messages": ASKED, "stop": ["."], "logprobs": True}]


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"stop": ["x"]}, "stop"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content"),
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": "x"}, "tools"),
        ({"tool_choice": "sometimes"}, "tool_choice"),
    ],
)
def test_what_cannot_be_honoured_is_refused(
    http: httpx2.Client, emulated: str, more: dict[str, Any], param: str
) -> None:
    body = {"model": emulated, "messages": ASKED, "tools": [WEATHER], **more}
    answer = http.post("chat/completions", json=body)
    assert answer.status_code == 400
    assert str(answer.json()["error"]["param"]).startswith(param)


def test_troubles_of_the_model_server(client: OpenAI, backend: CompletionBackend, emulated: str) -> None:
    backend.script(
        emulated,
        Turn(status=400, body={"error": {"message": "Too long."}}),
        Turn(status=500),
        Turn(status=500),
        Turn(status=500),
    )
    with pytest.raises(BadRequestError, match="Too long"):
        client.chat.completions.create(model=emulated, messages=ASKED, tools=[WEATHER])
    with pytest.raises(InternalServerError):
        client.chat.completions.create(model=emulated, messages=ASKED, tools=[WEATHER], stream=True)
    backend.script(emulated, Turn(text=["{", ANSWER[1:13], "It ", "rains"], drop_after=5))
    stream = client.chat.completions.create(model=emulated, messages=ASKED, tools=[WEATHER], stream=True)
    with pytest.raises(APIError, match="model server"):
        list(stream)
