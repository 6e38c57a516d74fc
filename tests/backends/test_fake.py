"""The scripted backend itself, standing alone, as clients in other languages use it."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

HELLO = [{"role": "user", "content": "Hello there"}]
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.fixture(scope="module")
def alone() -> Iterator[httpx2.Client]:
    """Below its /v1."""
    command = [sys.executable, "-m", "tests.fakes.completion_backend", "--tokens", "3", "--token-delay", "0.001"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with httpx2.Client(base_url=url) as client:
            yield client
        process.terminate()


@pytest.fixture
def origin(alone: httpx2.Client) -> str:
    return str(alone.base_url).removesuffix("/v1/")


def test_scripted_over_http(alone: httpx2.Client, origin: str) -> None:
    turns: list[dict[str, Any]] = [
        {"text": ["Hel", "lo"], "usage": [1, 2]},
        {"status": 429, "body": {"error": {"message": "Slow down."}}, "headers": {"retry-after": "1"}},
        {"tool_calls": [{"name": "f", "arguments": {"x": 1}}], "quirks": ["whole_calls"]},
    ]
    assert httpx2.put(f"{origin}/scripts/org/m", json=turns).status_code == 200
    body = {"model": "org/m", "messages": HELLO}
    first, second, third = [alone.post("chat/completions", json=body) for _ in turns]
    assert first.json()["choices"][0]["message"]["content"] == "Hello"
    assert (second.status_code, second.headers["retry-after"]) == (429, "1")
    assert third.json()["choices"][0]["finish_reason"] == "tool_calls"
    assert [request["body"] for request in httpx2.get(f"{origin}/requests/org/m").json()] == [body] * 3
    assert alone.post("chat/completions", json=body).status_code == 400
    assert httpx2.get(f"{origin}/violations").json() == ["org/m: asked after the end of the script"]
    for path in ("requests/org/m", "violations"):
        httpx2.delete(f"{origin}/{path}")
        assert httpx2.get(f"{origin}/{path}").json() == []


@pytest.mark.parametrize("turns", [[{"words": "x"}], ["x"], [{"quirks": ["odd"]}], [{"tool_calls": [{"x": 1}]}], 7])
def test_bad_scripts(origin: str, turns: Any) -> None:
    assert httpx2.put(f"{origin}/scripts/bad", json=turns).status_code == 400


def test_without_a_script(alone: httpx2.Client) -> None:
    answer = alone.post("chat/completions", json={"model": "x", "messages": HELLO, "stream": True})
    assert answer.text.count('"content"') == 3
    assert answer.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
        ({"messages": [*HELLO, {"role": "tool", "tool_call_id": "c1", "content": "x"}]}, "messages[1].role"),
        ({"messages": [*HELLO, {"role": "assistant", "content": None, "tool_calls": [CALL]}]}, "messages"),
        ({"messages": [{"role": "assistant", "tool_calls": [CALL]}, *HELLO]}, "messages[1]"),
        ({"messages": [{"role": "assistant", "content": "x", "tool_calls": []}]}, "messages[0].tool_calls"),
        ({"tools": []}, "tools"),
        ({"tools": [{"type": "file_search"}]}, "tools[0]"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"temperature": 3}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"response_format": "auto"}, "response_format.type"),
        ({"assistant_id": "x"}, "assistant_id"),
    ],
)
def test_wrong_requests(alone: httpx2.Client, wrong: dict[str, Any], param: str) -> None:
    answer = alone.post("chat/completions", json={"model": "x", "messages": HELLO, **wrong})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
