"""Tool calling for servers without it, against a server that plays one."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from app.backends.base import CompletionRequest, TextDelta, Usage
from app.backends.emulated import EmulatedBackend
from app.backends.openai import OpenAIBackend
from tests.backends.conftest import HELLO, hear
from tests.fakes.completion_backend import CompletionBackend, Turn

Script = Callable[..., None]


def _function(name: str, **properties: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": f"Does {name}.", "parameters": parameters}}


WEATHER = _function("get_weather", city={"type": "string"})
TIME = _function("get_time", zone={"type": "string"})
QUESTION: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is the weather in Paris?"},
]
CALLED: list[dict[str, Any]] = [
    *QUESTION,
    {
        "role": "assistant",
        "content": "Let me see.",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "21 degrees"},
]


@pytest.fixture
def emulated(native: OpenAIBackend) -> EmulatedBackend:
    return EmulatedBackend(native)


def _asking(**more: Any) -> CompletionRequest:
    return CompletionRequest(**{"messages": QUESTION, "tools": [WEATHER, TIME], **more})


def _pieces(answer: Any, size: int = 3) -> list[str]:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return [text[start : start + size] for start in range(0, len(text), size)]


def _schema(request: dict[str, Any]) -> Any:
    assert request["response_format"]["type"] == "json_schema"
    return request["response_format"]["json_schema"]["schema"]


async def test_calls(emulated: EmulatedBackend, script: Script, backend: CompletionBackend, model: str) -> None:
    calls = [{"name": "get_weather", "arguments": {"city": "Ulm"}}, {"name": "get_time", "arguments": {"zone": "CET"}}]
    script(Turn(text=_pieces({"tool_calls": calls}), usage=(40, 20)))
    heard = await hear(emulated, _asking())
    assert heard.calls == [("get_weather", '{"city":"Ulm"}'), ("get_time", '{"zone":"CET"}')]
    assert heard.text == ""
    assert (heard.finish.reason, heard.finish.usage) == ("tool_calls", Usage(40, 20))
    (request,) = backend.requests(model)
    assert "tools" not in request
    assert "tool_choice" not in request
    system, user = request["messages"]
    assert system["content"].startswith("Be brief.\n\nYou can call these functions:\n- get_weather: Does get_weather.")
    assert user == QUESTION[1]


async def test_answers_are_streamed(
    emulated: EmulatedBackend, script: Script, backend: CompletionBackend, model: str
) -> None:
    answer = 'He said: "Grüß\nGott" 😀 \\o/'
    pieces = _pieces({"answer": answer}, 1)
    script(Turn(text=pieces, hang_after=len(pieces) // 2, usage=(40, 20)))
    text = ""
    async for batch in emulated.stream(_asking()):
        text += "".join(event.text for event in batch if isinstance(event, TextDelta))
        if text:
            # The rest comes once what is there has been told.
            backend.release(model)
    assert text == answer
    script(Turn(text=_pieces({"answer": answer}, 2)))
    heard = await hear(emulated, _asking())
    assert heard.text == answer
    assert heard.finish.reason == "stop"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("Just text.", "Just text."),
        ('```json\n{"answer": "Fenced."}\n```', "Fenced."),
        ('{"answer": 42}', "42"),
        ('{"reply": "Hm."}', '{"reply": "Hm."}'),
        ("{nonsense", "{nonsense"),
        ("", ""),
        ('{"tool_calls": []}', ""),
        ('{"tool_calls": [{"function": "x"}]}', ""),
    ],
)
async def test_servers_that_keep_to_no_schema(
    emulated: EmulatedBackend, script: Script, answer: str, text: str
) -> None:
    script(Turn(text=_pieces(answer)))
    heard = await hear(emulated, _asking())
    assert (heard.text, heard.calls, heard.finish.reason) == (text, [], "stop")


async def test_fenced_calls(emulated: EmulatedBackend, script: Script) -> None:
    script(Turn(text=['```json\n{"tool_calls": [{"name": "f", "arguments": {}}]}\n', "```"]))
    assert (await hear(emulated, _asking())).calls == [("f", "{}")]


async def test_outputs_become_text(
    emulated: EmulatedBackend, script: Script, backend: CompletionBackend, model: str
) -> None:
    script(Turn(text=_pieces({"answer": "21 degrees."})))
    assert (await hear(emulated, _asking(messages=CALLED))).text == "21 degrees."
    (request,) = backend.requests(model)
    assert [message["role"] for message in request["messages"]] == ["system", "user"]
    assert request["messages"][1]["content"] == (
        "What is the weather in Paris?\n\nFunction results:\nYou said: Let me see.\n"
        'get_weather({"city": "Paris"}) = 21 degrees'
    )


async def test_history_without_tools_now(
    emulated: EmulatedBackend, script: Script, backend: CompletionBackend, model: str
) -> None:
    """Without tools, or with tool_choice none, all is passed through, but for the calls of the past."""
    script(Turn(text=["Hel", "lo"]), Turn(text="Hello"))
    assert (await hear(emulated, CompletionRequest(CALLED))).text == "Hello"
    assert (await hear(emulated, _asking(messages=CALLED, tool_choice="none"))).text == "Hello"
    for request in backend.requests(model):
        assert "response_format" not in request
        assert request["messages"][0] == CALLED[0]
        assert [message["role"] for message in request["messages"]] == ["system", "user"]


async def test_pictures_stay(emulated: EmulatedBackend, script: Script, backend: CompletionBackend, model: str) -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    asked = {"role": "user", "content": [{"type": "text", "text": "What is it?"}, picture]}
    script(Turn(text="A cat."))
    await hear(emulated, CompletionRequest([asked, *CALLED[2:]]))
    (request,) = backend.requests(model)
    assert request["messages"][0]["content"][:2] == asked["content"]
    assert "21 degrees" in request["messages"][0]["content"][-1]["text"]


async def test_the_same_call_again(
    emulated: EmulatedBackend, script: Script, backend: CompletionBackend, model: str
) -> None:
    """A model that calls what it has just been answered is let talk instead."""
    again = {"tool_calls": [{"name": "get_weather", "arguments": {"city": "Paris"}}]}
    script(
        Turn(text=_pieces(again), usage=(50, 20)),
        Turn(text=["It is ", "21 degrees."], usage=(45, 8)),
    )
    heard = await hear(emulated, _asking(messages=CALLED, max_completion_tokens=100))
    assert (heard.text, heard.calls) == ("It is 21 degrees.", [])
    assert heard.finish.usage == Usage(95, 28)
    second = backend.requests(model)[1]
    assert "response_format" not in second
    assert second["max_tokens"] == 80


async def test_a_later_question_may_call_it_again(emulated: EmulatedBackend, script: Script) -> None:
    later = [*CALLED, {"role": "assistant", "content": "21."}, {"role": "user", "content": "And now?"}]
    script(Turn(text=_pieces({"tool_calls": [{"name": "get_weather", "arguments": {"city": "Paris"}}]})))
    assert (await hear(emulated, _asking(messages=later))).calls == [("get_weather", '{"city":"Paris"}')]


async def test_only_what_is_new_is_called(emulated: EmulatedBackend, script: Script) -> None:
    calls = [{"name": "get_weather", "arguments": {"city": city}} for city in ("Paris", "Rome", "Rome")]
    script(Turn(text=_pieces({"tool_calls": calls})))
    assert (await hear(emulated, _asking(messages=CALLED))).calls == [("get_weather", '{"city":"Rome"}')]


async def test_a_format_of_the_callers_own(
    emulated: EmulatedBackend, script: Script, backend: CompletionBackend, model: str
) -> None:
    own = {"type": "json_schema", "json_schema": {"name": "t", "schema": {"type": "object"}}}
    script(Turn(text=_pieces({"answer": ""}), usage=(9, 3)), Turn(text=['{"t"', ": 21}"], usage=(8, 4)))
    heard = await hear(emulated, _asking(messages=CALLED, response_format=own))
    assert heard.text == '{"t": 21}'
    assert heard.finish.usage == Usage(17, 7)
    first, second = backend.requests(model)
    assert {"const": ""} in [branch["properties"].get("answer") for branch in _schema(first)["anyOf"]]
    assert second["response_format"] == own
    assert second["messages"][0] == CALLED[0]


@pytest.mark.parametrize("answer", ['{"tool_calls": [{"name": "get_wea', '{"answer": "It'])
async def test_cut_off(emulated: EmulatedBackend, script: Script, answer: str) -> None:
    script(Turn(text=_pieces(answer), finish_reason="length"))
    heard = await hear(emulated, _asking())
    assert (heard.calls, heard.finish.reason) == ([], "length")
    assert heard.text == ("It" if "answer" in answer else "")


async def test_failures_pass(emulated: EmulatedBackend, script: Script) -> None:
    script(Turn(text=_pieces({"answer": "Hello"}, 6), drop_after=3, delay=0.001))
    heard = await hear(emulated, _asking())
    assert heard.failure is not None
    assert heard.text
    assert "Hello".startswith(heard.text)


def _call_names(schema: dict[str, Any]) -> list[str]:
    items = schema["properties"]["tool_calls"]["items"]
    return [call["properties"]["name"]["const"] for call in items.get("anyOf", [items])]


@pytest.mark.parametrize(
    ("more", "names", "may_answer", "most"),
    [
        ({}, ["get_weather", "get_time"], True, 8),
        ({"tool_choice": "auto"}, ["get_weather", "get_time"], True, 8),
        ({"tool_choice": "required"}, ["get_weather", "get_time"], False, 8),
        ({"tool_choice": {"type": "function", "function": {"name": "get_time"}}}, ["get_time"], False, 8),
        ({"parallel_tool_calls": False}, ["get_weather", "get_time"], True, 1),
    ],
)
async def test_the_schema_says_what_is_allowed(
    emulated: EmulatedBackend,
    script: Script,
    backend: CompletionBackend,
    model: str,
    more: dict[str, Any],
    names: list[str],
    may_answer: bool,
    most: int,
) -> None:
    script(Turn(text=_pieces({"tool_calls": [{"name": names[0], "arguments": {}}]})))
    await hear(emulated, _asking(**more))
    schema = _schema(backend.requests(model)[0])
    calls = schema["anyOf"][0] if may_answer else schema
    assert _call_names(calls) == names
    assert calls["properties"]["tool_calls"]["maxItems"] == most
    assert ("anyOf" in schema) == may_answer


async def test_references_in_parameters_are_moved(
    emulated: EmulatedBackend, script: Script, backend: CompletionBackend, model: str
) -> None:
    tree = {
        "type": "object",
        "properties": {
            "child": {"$ref": "#"},
            "leaf": {"$ref": "#/$defs/Leaf"},
            "pattern": {"type": "string", "pattern": "^a", "title": "Pattern"},
        },
        "$defs": {"Leaf": {"type": "object", "title": "Leaf", "properties": {"title": {"type": "string"}}}},
    }
    script(Turn(text=_pieces({"answer": ""})))
    await hear(emulated, _asking(tools=[{"type": "function", "function": {"name": "plant", "parameters": tree}}]))
    schema = _schema(backend.requests(model)[0])
    call = schema["anyOf"][0]["properties"]["tool_calls"]["items"]
    assert call["properties"]["arguments"] == {"$ref": "#/$defs/plant"}
    assert schema["$defs"]["plant"]["properties"] == {
        "child": {"$ref": "#/$defs/plant"},
        "leaf": {"$ref": "#/$defs/plant.Leaf"},
        "pattern": {"type": "string"},
    }
    assert schema["$defs"]["plant.Leaf"] == {"type": "object", "properties": {"title": {"type": "string"}}}


async def test_functions_without_parameters(
    emulated: EmulatedBackend, script: Script, backend: CompletionBackend, model: str
) -> None:
    script(Turn(text=_pieces({"tool_calls": [{"name": "now", "arguments": {}}]})))
    bare = {"type": "function", "function": {"name": "now"}}
    heard = await hear(emulated, CompletionRequest(HELLO.messages, tools=[bare]))
    assert heard.calls == [("now", "{}")]
    arguments = _schema(backend.requests(model)[0])["anyOf"][0]["properties"]["tool_calls"]["items"]["properties"]
    assert arguments["arguments"] == {"type": "object", "properties": {}, "additionalProperties": False}
