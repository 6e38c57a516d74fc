"""The small parts of reading servers: waits, chunks of one dialect or another."""

import email.utils
import time
from typing import Any

import orjson
import pytest

from app.backends.base import Delta, TextDelta, ToolCallDelta
from app.backends.deltas import DeltaReader
from app.backends.failures import retry_after


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({"retry-after": "9", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "x"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_retry_after_a_date() -> None:
    wait = retry_after({"retry-after": email.utils.formatdate(time.time() + 20, usegmt=True)})
    assert wait is not None
    assert 18 < wait <= 20


def _read(*deltas: dict[str, Any]) -> list[Delta]:
    reader = DeltaReader()
    read: list[Delta] = []
    for delta in deltas:
        reader.read(orjson.dumps({"choices": [{"index": 0, "delta": delta}]}), read)
    return read


def _call(index: int | None, call_id: str | None, name: str | None, arguments: Any) -> dict[str, Any]:
    call = {"index": index, "id": call_id, "function": {"name": name, "arguments": arguments}}
    return {"tool_calls": [{key: value for key, value in call.items() if value is not None}]}


def test_calls_among_deltas() -> None:
    """How they are put together, whatever the server: tests.backends.test_call_assembly."""
    assert _read(_call(3, "a", "f", ""), _call(3, None, None, '{"x"'), _call(3, None, None, ":1}")) == [
        ToolCallDelta(0, "f", ""),
        ToolCallDelta(0, None, '{"x"'),
        ToolCallDelta(0, None, ":1}"),
    ]


def test_the_older_function_call() -> None:
    pieces = [{"function_call": {"name": "f", "arguments": ""}}, {"function_call": {"arguments": '{"x":1}'}}]
    assert _read(*pieces) == [ToolCallDelta(0, "f", ""), ToolCallDelta(0, None, '{"x":1}')]


def test_content_in_parts() -> None:
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "Hello"}]
    assert _read({"content": parts}) == [TextDelta("Hello")]


def test_other_choices_are_nobodys() -> None:
    read: list[Delta] = []
    chunk = {"choices": [{"index": 1, "delta": {"content": "b"}}, {"index": 0, "delta": {"content": "a"}}]}
    DeltaReader().read(orjson.dumps(chunk), read)
    assert read == [TextDelta("a")]
