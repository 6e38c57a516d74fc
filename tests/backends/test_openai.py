"""The chat completions client, against a server that does everything servers are known to do."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, get_args

import pytest

from app.backends.base import CompletionRequest, TextDelta, Usage
from app.backends.openai import OpenAIBackend, RetryPolicy
from tests.backends.conftest import API_KEY, HELLO, RETRIES, Connect, hear
from tests.fakes.completion_backend import MALFORMED_EVENT, Call, CompletionBackend, Quirk, Turn, error_event

Script = Callable[..., None]

WEATHER = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


def _error(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "x", "param": None, "code": None, **more}}


async def test_text_and_usage(native: OpenAIBackend, script: Script) -> None:
    script(Turn(text=["Hel", "lo ", "wörld 🌍"], usage=(12, 3)))
    heard = await hear(native)
    assert heard.text == "Hello wörld 🌍"
    assert heard.finish.reason == "stop"
    assert heard.finish.usage == Usage(12, 3)


async def test_request_says_what_is_asked_and_no_more(
    native: OpenAIBackend, script: Script, backend: CompletionBackend, model: str
) -> None:
    script(Turn(text="a"), Turn(text="b"))
    await hear(native)
    everything = CompletionRequest(
        messages=HELLO.messages,
        tools=[WEATHER],
        tool_choice="required",
        parallel_tool_calls=False,
        response_format={"type": "json_object"},
        temperature=0,
        top_p=0.5,
        reasoning_effort="low",
        max_completion_tokens=7,
    )
    await hear(native, everything)
    bare, full = backend.requests(model)
    streamed = {"model": model, "messages": HELLO.messages, "stream": True, "stream_options": {"include_usage": True}}
    assert bare == streamed
    assert full == {
        **streamed,
        "tools": [WEATHER],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "response_format": {"type": "json_object"},
        "temperature": 0,
        "top_p": 0.5,
        "reasoning_effort": "low",
        "max_tokens": 7,
    }
    assert backend.received(model)[0].headers["authorization"] == f"Bearer {API_KEY}"


@pytest.mark.parametrize("quirk", sorted(set(get_args(Quirk)) - {"no_finish", "no_call_index"}))
@pytest.mark.parametrize("delay", [0, 0.002])
async def test_dialects(native: OpenAIBackend, script: Script, quirk: Quirk, delay: float) -> None:
    calls = [Call("get_weather", {"city": "Köln"}), Call("get_time", {"zone": "CET", "deep": {"x": [1, 2]}})]
    script(Turn(text=["Grüß", " Gott"], tool_calls=calls, usage=(9, 8), delay=delay, quirks=frozenset({quirk})))
    heard = await hear(native)
    assert heard.failure is None
    assert heard.text == "Grüß Gott"
    assert heard.calls == [(call.name, call.json) for call in calls]
    assert heard.finish.reason == "tool_calls"
    assert heard.finish.usage == Usage(9, 8)


@pytest.mark.parametrize("quirks", [{"no_call_index"}, {"no_call_index", "whole_calls"}])
async def test_tool_calls_without_index(native: OpenAIBackend, script: Script, quirks: set[Quirk]) -> None:
    calls = [Call("f", {"a": 1}), Call("f", {"a": 2})]
    quirks = quirks | {"repeat_call_id"} if "whole_calls" not in quirks else quirks
    script(Turn(tool_calls=calls, quirks=frozenset(quirks)))
    assert (await hear(native)).calls == [("f", '{"a":1}'), ("f", '{"a":2}')]


async def test_refusal_and_reasoning(native: OpenAIBackend, script: Script) -> None:
    script(Turn(reasoning=["Hm", "m."], refusal=["I'd ", "rather not."]))
    heard = await hear(native)
    assert (heard.text, heard.refusal, heard.finish.reason) == ("", "I'd rather not.", "stop")


@pytest.mark.parametrize(
    ("told", "understood"),
    [
        ("length", "length"),
        ("max_tokens", "length"),
        ("content_filter", "content_filter"),
        ("stop", "stop"),
        ("end_turn", "stop"),
        ("tool_calls", "stop"),  # without any call
        ("something new", "stop"),
    ],
)
async def test_finish_reasons(native: OpenAIBackend, script: Script, told: str, understood: str) -> None:
    script(Turn(text="a", finish_reason=told))
    assert (await hear(native)).finish.reason == understood


@pytest.mark.parametrize("told", ["stop", "function_call"])
async def test_calls_count_whatever_the_finish_reason(native: OpenAIBackend, script: Script, told: str) -> None:
    script(Turn(tool_calls=[Call("f")], finish_reason=told))
    assert (await hear(native)).finish.reason == "tool_calls"


async def test_cut_off_calls_are_not_calls_to_make(native: OpenAIBackend, script: Script) -> None:
    script(Turn(tool_calls=[Call("f", '{"a": ')], finish_reason="length"))
    assert (await hear(native)).finish.reason == "length"


@pytest.mark.parametrize("quirks", [{"no_done"}, {"no_finish"}])
async def test_either_end_will_do(native: OpenAIBackend, script: Script, quirks: set[Quirk]) -> None:
    script(Turn(text=["a", "b"], quirks=frozenset(quirks)))
    heard = await hear(native)
    assert (heard.text, heard.finish.reason) == ("ab", "stop")


async def test_no_usage(native: OpenAIBackend, script: Script) -> None:
    script(Turn(text="a", usage=None))
    assert (await hear(native)).finish.usage is None


async def test_nul_characters_are_replaced(native: OpenAIBackend, script: Script) -> None:
    script(Turn(text=["a\0b", "\0"]))
    heard = await hear(native)
    assert (heard.text, heard.finish.reason) == ("a\ufffdb\ufffd", "stop")


@pytest.mark.parametrize(
    ("status", "code", "tries"),
    [
        (400, "invalid_prompt", 1),
        (413, "invalid_prompt", 1),
        (422, "invalid_prompt", 1),
        (401, "server_error", 1),
        (403, "server_error", 1),
        (404, "server_error", 1),
        (302, "server_error", 1),
        (408, "server_error", RETRIES + 1),
        (429, "rate_limit_exceeded", RETRIES + 1),
        (500, "server_error", RETRIES + 1),
        (503, "server_error", RETRIES + 1),
    ],
)
async def test_error_statuses(
    native: OpenAIBackend, script: Script, backend: CompletionBackend, model: str, status: int, code: str, tries: int
) -> None:
    script(Turn(status=status, body=_error("That went wrong.")), repeat=True)
    heard = await hear(native)
    assert heard.deltas == []
    assert heard.failure is not None
    assert heard.failure.code == code
    assert "That went wrong." in heard.failure.message
    assert str(status) in heard.failure.message
    assert len(backend.requests(model)) == tries


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (_error("Words."), "Words."),
        ([_error("Words.")], "Words."),
        ({"error": "Words."}, "Words."),
        ({"object": "error", "message": "Words.", "code": 400}, "Words."),
        ({"detail": "Words."}, "Words."),
        ({"detail": [{"loc": ["body", "top_k"], "msg": "Words.", "type": "x"}]}, "body.top_k: Words."),
        ("Just\n  words.", "Just words."),
        ("<html><h1>Words</h1></html>", "answered 400."),
        ("", "answered 400."),
        ("null", "null"),
        ({"error": {"message": "x" * 9000}}, "x" * 400),
    ],
)
async def test_the_backends_own_words(native: OpenAIBackend, script: Script, body: Any, words: str) -> None:
    script(Turn(status=400, body=body))
    failure = (await hear(native)).failure
    assert failure is not None
    assert words in failure.message
    assert len(failure.message) < 600


async def test_the_key_is_not_shown(native: OpenAIBackend, script: Script) -> None:
    script(Turn(status=401, body=_error(f"Incorrect API key: {API_KEY}.")), Turn(interject=(0, error_event(API_KEY))))
    for _ in range(2):
        failure = (await hear(native)).failure
        assert failure is not None
        assert API_KEY not in f"{failure} {failure.message} {failure!r}"


async def test_passing_troubles_cost_no_run(
    native: OpenAIBackend, script: Script, backend: CompletionBackend, model: str
) -> None:
    script(Turn(status=503), Turn(status=429, headers={"retry-after": "0"}), Turn(text="At last"))
    assert (await hear(native)).text == "At last"
    assert len(backend.requests(model)) == 3


async def test_an_empty_account_is_not_asked_again(
    native: OpenAIBackend, script: Script, backend: CompletionBackend, model: str
) -> None:
    script(Turn(status=429, body=_error("You exceeded your current quota.", code="insufficient_quota")))
    failure = (await hear(native)).failure
    assert failure is not None
    assert failure.code == "rate_limit_exceeded"
    assert len(backend.requests(model)) == 1


async def test_retry_after_is_kept(native: OpenAIBackend, script: Script) -> None:
    script(Turn(status=429, headers={"retry-after": "0.3"}), Turn(text="a"))
    began = time.monotonic()
    assert (await hear(native)).text == "a"
    assert 0.3 <= time.monotonic() - began < 2


def test_pauses() -> None:
    policy = RetryPolicy(5, first_pause=1, longest_pause=6)
    for attempt, longest in enumerate([1, 2, 4, 6, 6]):
        assert all(longest / 2 <= policy.pause(attempt, None) <= longest for _ in range(50))
    assert policy.pause(0, 12) == 12
    assert policy.pause(0, 3600) == 30


async def test_dropped_in_the_middle(
    native: OpenAIBackend, script: Script, backend: CompletionBackend, model: str
) -> None:
    script(Turn(text=["a", "b", "c"], drop_after=2, delay=0.001))
    heard = await hear(native)
    assert heard.text == "ab"
    assert heard.failure is not None
    assert heard.failure.code == "server_error"
    assert len(backend.requests(model)) == 1


async def test_ended_in_the_middle(native: OpenAIBackend, script: Script) -> None:
    script(Turn(text=["a", "b"], quirks=frozenset({"no_done", "no_finish"}), usage=None))
    heard = await hear(native)
    assert heard.text == "ab"
    assert heard.failure is not None
    assert "before it was complete" in heard.failure.message


async def test_dropped_before_the_first_delta(native: OpenAIBackend, script: Script) -> None:
    script(Turn(text="x", drop_after=0), Turn(text="Hello"))
    assert (await hear(native)).text == "Hello"


async def test_no_answer_at_all(native: OpenAIBackend, script: Script) -> None:
    script(Turn(status=0), repeat=True)
    failure = (await hear(native)).failure
    assert failure is not None
    assert failure.code == "server_error"


async def test_idle_connections_that_the_server_gave_up(connect: Connect, script: Script) -> None:
    """They cost no try."""
    script(Turn(text="a"), Turn(status=0), Turn(text="b"))
    native = connect(retries=0)
    assert (await hear(native)).text == "a"
    assert (await hear(native)).text == "b"


@pytest.mark.parametrize(
    ("turn", "text", "requests"),
    [
        (Turn(status=0, hang_after=0), "", 2),
        (Turn(text=["a", "b"], hang_after=0), "", 2),
        (Turn(text=["a", "b"], hang_after=1), "a", 1),
        (Turn(text=["a", "b"], hang_after=2), "ab", 1),  # even if only the end is missing
    ],
)
async def test_silence(
    connect: Connect, script: Script, backend: CompletionBackend, model: str, turn: Turn, text: str, requests: int
) -> None:
    script(turn, repeat=True)
    async with asyncio.timeout(5):
        heard = await hear(connect(idle_timeout=0.2))
    assert heard.text == text
    assert heard.failure is not None
    assert heard.failure.code == "server_error"
    assert len(backend.requests(model)) == requests


@pytest.mark.parametrize(
    "garbage",
    [
        MALFORMED_EVENT,
        "data: {'single': 'quotes'}\n\n",
        "data: 17\n\n",
        "data: []\n\n",
        'data: {"choices": 3}\n\n',
        'data: {"choices": [7]}\n\n',
        'data: {"choices": [{"delta": {"content": 3}}]}\n\n',
        'data: {"choices": [{"delta": {"content": [{"type": "text"}]}}]}\n\n',
        'data: {"choices": [{"delta": {"tool_calls": {"0": 1}}}]}\n\n',
        'data: {"choices": [{"delta": {"tool_calls": [{"index": {}, "function": {"name": "f"}}]}}]}\n\n',
        'data: {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"name": 1}}]}}]}\n\n',
    ],
)
async def test_malformed_events(native: OpenAIBackend, script: Script, garbage: str) -> None:
    script(Turn(text=["a", "b", "c"], interject=(2, garbage)))
    heard = await hear(native)
    assert heard.text == "ab"
    assert heard.failure is not None
    assert heard.failure.code == "server_error"


async def test_a_call_without_a_name(native: OpenAIBackend, script: Script) -> None:
    nameless = 'data: {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}}]}\n\n'
    script(Turn(text="a", interject=(1, nameless)))
    failure = (await hear(native)).failure
    assert failure is not None
    assert "without a name" in failure.message


@pytest.mark.parametrize(
    ("code", "understood"),
    [(None, "server_error"), ("rate_limit_exceeded", "rate_limit_exceeded"), ("429", "rate_limit_exceeded")],
)
async def test_errors_told_in_the_stream(
    native: OpenAIBackend, script: Script, code: str | None, understood: str
) -> None:
    script(Turn(text=["a", "b"], interject=(1, error_event("Out of memory.", code))))
    heard = await hear(native)
    assert heard.text == "a"
    assert heard.failure is not None
    assert heard.failure.code == understood
    assert "Out of memory." in heard.failure.message


async def test_errors_told_before_the_first_delta(native: OpenAIBackend, script: Script) -> None:
    script(Turn(interject=(0, error_event("Overloaded."))), Turn(text="Hello"))
    assert (await hear(native)).text == "Hello"


@pytest.mark.parametrize("body", ["<html><body>It works!</body></html>", "ok", {"status": "ok"}, {"choices": []}, "{"])
async def test_answers_that_are_no_completions(native: OpenAIBackend, script: Script, body: Any) -> None:
    script(Turn(body=body))
    heard = await hear(native)
    assert heard.deltas == []
    assert heard.failure is not None
    assert heard.failure.code == "server_error"


async def test_closing_the_stream_closes_the_connection(
    native: OpenAIBackend, script: Script, backend: CompletionBackend, model: str
) -> None:
    script(Turn(text=["a", "b"], hang_after=1))
    stream = native.stream(HELLO)
    assert await anext(stream) == [TextDelta("a")]
    assert backend.open_streams(model) == 1
    await stream.aclose()
    await asyncio.to_thread(backend.wait_until_idle, model)


async def test_cancelling_closes_the_connection(
    native: OpenAIBackend, script: Script, backend: CompletionBackend, model: str
) -> None:
    script(Turn(status=0, hang_after=0))
    listening = asyncio.create_task(hear(native))
    await asyncio.to_thread(backend.wait_until_hanging, model)
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening
    await asyncio.to_thread(backend.wait_until_idle, model)


async def test_connections_are_used_again(connect: Connect) -> None:
    with CompletionBackend(default=Turn(text="a", delay=0.005)) as alone:  # the end, too, comes after its [DONE]
        native = connect(alone.url)
        for _ in range(5):
            assert (await hear(native)).failure is None
        assert alone.connections_accepted == 1


async def test_many_at_once(native: OpenAIBackend, script: Script) -> None:
    script(Turn(text=[f"{n} " for n in range(20)], delay=0.005), repeat=True)
    expected = "".join(f"{n} " for n in range(20))
    assert {heard.text for heard in await asyncio.gather(*(hear(native) for _ in range(100)))} == {expected}


@pytest.mark.parametrize(
    ("refusal", "changed"),
    [
        (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'.",
            {"max_tokens": None, "max_completion_tokens": 9},
        ),
        ("Unrecognized request argument supplied: stream_options", {"stream_options": None}),
        ("Unknown parameter: 'parallel_tool_calls'.", {"parallel_tool_calls": None}),
        ("reasoning_effort: Extra inputs are not permitted", {"reasoning_effort": None}),
        (
            "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) is supported.",
            {"temperature": None},
        ),
    ],
)
async def test_parameters_that_a_model_refuses(
    native: OpenAIBackend, script: Script, backend: CompletionBackend, model: str, refusal: str, changed: dict[str, Any]
) -> None:
    script(Turn(status=400, body=_error(refusal)), Turn(text="a"), Turn(text="b"))
    request = CompletionRequest(
        HELLO.messages,
        tools=[WEATHER],
        parallel_tool_calls=False,
        reasoning_effort="low",
        temperature=0.2,
        max_completion_tokens=9,
    )
    assert (await hear(native, request)).text == "a"
    assert (await hear(native, request)).text == "b"
    first, second, third = backend.requests(model)
    assert second == third
    assert second == {name: value for name, value in {**first, **changed}.items() if value is not None}


async def test_other_refusals_are_failures(
    native: OpenAIBackend, script: Script, backend: CompletionBackend, model: str
) -> None:
    script(Turn(status=400, body=_error("temperature must be at most 2")))
    failure = (await hear(native, CompletionRequest(HELLO.messages, temperature=1.5))).failure
    assert failure is not None
    assert failure.code == "invalid_prompt"
    assert len(backend.requests(model)) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/v1", "http://no-such-host.invalid/v1", "https://127.0.0.1:1/v1"])
async def test_unreachable(connect: Connect, url: str) -> None:
    failure = (await hear(connect(url))).failure
    assert failure is not None
    assert failure.code == "server_error"
    assert "cannot be reached" in failure.message
    assert "127.0.0.1" not in failure.message


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 999999 What\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\ndata: {}\n\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
        b"",
    ],
)
async def test_something_else_listens_there(connect: Connect, answer: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with asyncio.timeout(10):
            heard = await hear(connect(f"http://127.0.0.1:{port}/v1"))
    assert heard.failure is not None
    assert heard.failure.code == "server_error"


async def test_what_is_asked_is_made_whole(
    native: OpenAIBackend, script: Script, backend: CompletionBackend, model: str
) -> None:
    script(Turn(text="a"))
    await hear(native, CompletionRequest([{"role": "user", "content": "\ud83d\ude00\ud800\0"}]))
    assert backend.requests(model)[0]["messages"] == [{"role": "user", "content": "😀\ufffd\ufffd"}]


async def test_requests_that_cannot_be_written(native: OpenAIBackend) -> None:
    failure = (await hear(native, CompletionRequest([{"role": "user", "content": "a", "n": 2**64}]))).failure
    assert failure is not None
    assert failure.code == "invalid_prompt"
