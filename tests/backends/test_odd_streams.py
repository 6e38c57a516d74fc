"""Streams whose JSON is not quite JSON, and whose characters are cut in two."""

from collections.abc import Callable

import pytest

from app.backends.openai import OpenAIBackend
from tests.backends.conftest import hear
from tests.fakes.completion_backend import Turn

Script = Callable[..., None]


def chunks(*deltas: bytes, usage: bytes = b'{"prompt_tokens": 1, "completion_tokens": 2}') -> bytes:
    """An event stream of chunks whose deltas are given as they are written."""
    end = b'{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": %s}' % usage
    chunks = [b'{"choices": [{"index": 0, "delta": %s}]}' % delta for delta in deltas]
    return b"".join(b"data: %s\n\n" % chunk for chunk in (*chunks, end)) + b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("stream", "text"),
    [
        (chunks(rb'{"content": "a\ud83d"}', rb'{"content": "\ude00b"}'), "a😀b"),
        (chunks(rb'{"content": "a\ud83d"}', rb'{"content": "b"}'), "a\ufffdb"),
        (chunks(rb'{"content": "\ude00a\ud83d"}'), "\ufffda\ufffd"),
        (chunks(rb'{"content": "\ud83d", "x": 1}', b'{"role": "assistant"}', rb'{"content": "\ude00"}'), "😀"),
        (chunks(b'{"content": "a\xf0\x9f"}', b'{"content": "\x98\x80b"}'), "a😀b"),
        (
            chunks(b'{"content": "a\xc3"}', b'{"content": "b\xff"}', b'{"content": "c\xe2\x82"}'),
            "a\ufffdb\ufffdc\ufffd",
        ),
        (chunks(rb'{"content": "a", "logprobs": NaN, "x": [Infinity, -Infinity, 1e999]}'), "a"),
        (chunks(b'{"content": "a\tb\x01", "n": %s}' % (b"9" * 5000)), "a\tb\x01"),
        (chunks(rb'{"content": "a\u0000b"}', rb'{"content": "\\u0000"}'), "a\ufffdb\\u0000"),
        (b"\xef\xbb\xbf" + chunks(b'{"content": "a"}'), "a"),
        (chunks(b'{"content": "a"}').replace(b"data: ", b"data: \xef\xbb\xbf"), "a"),
        (chunks(b'{"content": "a"}', usage=b'{"prompt_tokens": NaN, "completion_tokens": "many"}'), "a"),
        (chunks(b'{"content": "a"}', usage=b"[1]"), "a"),
        (b'\xef\xbb\xbf {"choices": [{"message": {"content": "a\xff"}, "finish_reason": "stop"}]}', "a\ufffd"),
        (b'\n\n {"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}], "usage": Infinity}', "a"),
    ],
)
async def test_streams_that_are_not_quite_json(native: OpenAIBackend, script: Script, stream: bytes, text: str) -> None:
    script(Turn(body=stream))
    heard = await hear(native)
    assert heard.failure is None
    assert (heard.text, heard.finish.reason) == (text, "stop")


async def test_halves_are_joined_in_all_that_is_read(native: OpenAIBackend, script: Script) -> None:
    call = rb'{"tool_calls": [{"index": %d, "function": {"name": %s, "arguments": "%s"}}]}'
    stream = chunks(
        rb'{"refusal": "No \ud83d"}',
        call % (0, rb'"get_\ud83d\ude00\ud83d"', rb"{\"a\": \"\ud83d"),
        call % (1, rb'"g"', rb"{\"b\": \"\ud83d"),
        rb'{"refusal": "\ude00!"}',
        call % (0, b"null", rb"\ude00\"}"),
        call % (1, b"null", rb"\"}"),
    )
    script(Turn(body=stream))
    heard = await hear(native)
    assert heard.failure is None
    assert heard.refusal == "No 😀!"
    assert heard.calls == [("get_😀\ufffd", '{"a": "😀"}'), ("g", '{"b": "\ufffd"}')]
