"""Chat completions, passed through."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from openai import APIError, AsyncOpenAI, BadRequestError, InternalServerError, OpenAI, RateLimitError

from tests.fakes.completion_backend import Call, CompletionBackend, Turn, error_event
from tests.running import Locum

Script = Callable[..., None]

HELLO: Any = [{"role": "user", "content": "Hello"}]
TOOL: Any = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


def test_answer(client: OpenAI, script: Script, backend: CompletionBackend, model: str) -> None:
    script(Turn(text=["Good ", "day"], usage=(3, 2)))
    answer = client.chat.completions.create(model=model, messages=HELLO, temperature=0, user="x", seed=7)
    assert answer.choices[0].message.content == "Good day"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 5
    assert backend.requests(model) == [{"model": model, "messages": HELLO, "temperature": 0, "user": "x", "seed": 7}]


def test_stream(client: OpenAI, script: Script, model: str) -> None:
    script(Turn(text=["Good ", "day"], tool_calls=[Call("f", {"x": 1})], quirks=frozenset({"comments"})))
    with client.chat.completions.stream(model=model, messages=HELLO, tools=[TOOL]) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.content == "Good day"
    assert message.tool_calls is not None
    assert message.tool_calls[0].function.arguments == '{"x":1}'


def test_stream_comes_as_it_is_made(client: OpenAI, script: Script, backend: CompletionBackend, model: str) -> None:
    script(Turn(text=["a", "b"], hang_after=1))
    stream = client.chat.completions.create(model=model, messages=HELLO, stream=True)
    assert next(stream).choices[0].delta.content == "a"
    backend.wait_until_hanging(model)
    backend.release(model)
    assert next(stream).choices[0].delta.content == "b"
    stream.close()


def test_client_that_leaves_a_stream(client: OpenAI, script: Script, backend: CompletionBackend, model: str) -> None:
    script(Turn(text=["a", "b"], hang_after=1))
    stream = client.chat.completions.create(model=model, messages=HELLO, stream=True)
    next(stream)
    stream.close()
    backend.wait_until_idle(model, timeout=1.5)  # before the impatient idle time-out would end it


def test_client_that_leaves_before_the_answer(
    client: OpenAI, script: Script, backend: CompletionBackend, model: str
) -> None:
    script(Turn(status=0, hang_after=0))
    with pytest.raises(APIError):
        client.with_options(timeout=0.3).chat.completions.create(model=model, messages=HELLO)
    backend.wait_until_idle(model, timeout=1.5)


def test_models_are_routed(client: OpenAI, backend: CompletionBackend) -> None:
    """A name that nobody knows goes to the default model, and the answer is that model's."""
    answer = client.chat.completions.create(model="gpt-4-1106-preview", messages=HELLO)
    assert answer.choices[0].message.content == "You said: Hello"
    assert answer.model in backend.models


@pytest.mark.parametrize(
    ("turn", "error", "code"),
    [
        (Turn(status=400, body={"error": {"message": "Too long.", "code": "context_length_exceeded"}}), BadRequestError,
         "context_length_exceeded"),
        (Turn(status=429, headers={"retry-after": "3"}, body={"detail": "Too long."}), RateLimitError, None),
        (Turn(status=500, body="Too long."), InternalServerError, None),
        (Turn(status=401, body="Too long."), InternalServerError, None),  # the key is Locum's, not the client's
    ],
)  # fmt: skip
def test_errors(
    client: OpenAI, script: Script, model: str, turn: Turn, error: type[APIError], code: str | None
) -> None:
    script(turn)
    with pytest.raises(error) as caught:
        client.chat.completions.create(model=model, messages=HELLO, stream=True)
    assert caught.value.code == code
    assert isinstance(caught.value.body, dict)
    assert set(caught.value.body) == {"message", "type", "param", "code"}
    if turn.status != 401:
        assert caught.value.message.endswith("Too long.") or "Too long." in str(caught.value.body["message"])
    if turn.status == 429:
        assert isinstance(caught.value, RateLimitError)
        assert caught.value.response.headers["retry-after"] == "3"


@pytest.mark.parametrize("turn", [Turn(text="ab", drop_after=1, delay=0.01), Turn(text="ab", hang_after=1)])
def test_stream_that_breaks_off(client: OpenAI, script: Script, model: str, turn: Turn) -> None:
    script(turn)
    stream = client.chat.completions.create(model=model, messages=HELLO, stream=True)
    assert next(stream).choices[0].delta.content == "ab"
    with pytest.raises(APIError, match="The model server"):
        next(stream)


def test_error_in_the_stream(client: OpenAI, script: Script, model: str) -> None:
    script(Turn(text="a", interject=(1, error_event("Out of memory."))))
    with pytest.raises(APIError, match="Out of memory"):
        list(client.chat.completions.create(model=model, messages=HELLO, stream=True))


def test_server_that_is_silent(client: OpenAI, script: Script, model: str) -> None:
    script(Turn(status=0, hang_after=0))
    with pytest.raises(InternalServerError) as caught:
        client.chat.completions.create(model=model, messages=HELLO)
    assert caught.value.status_code == 503


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"{", None),
        (b"[]", None),
        (b"7", None),
        (b"{}", "model"),
        (b'{"model": null, "messages": []}', "model"),
        (b'{"model": 7, "messages": []}', "model"),
        (b'{"model": "\\ud800", "messages": []}', None),
        (b"[" * 100_000, None),
        (b"\xff\xfe", None),
    ],
)
@pytest.mark.parametrize("path", ["chat/completions", "embeddings"])
def test_bodies_that_are_wrong(http: httpx2.Client, path: str, body: bytes, param: str | None) -> None:
    answer = http.post(path, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.json()["error"]["param"] == param


def test_no_key(http: httpx2.Client) -> None:
    for path in ("chat/completions", "embeddings"):
        answer = httpx2.post(f"{http.base_url}{path}", json={"model": "echo", "messages": HELLO, "input": "x"})
        assert answer.status_code == 401


def test_no_beta_header(locum: Locum, model: str) -> None:
    headers = {"Authorization": f"Bearer {locum.api_key}"}
    body = {"model": model, "messages": HELLO}
    assert httpx2.post(f"{locum.base_url}/chat/completions", headers=headers, json=body).status_code == 200


async def test_many_calls_hold_no_database_connections(
    aclient: AsyncOpenAI, script: Script, backend: CompletionBackend, model: str
) -> None:
    """More calls wait for the model server than Locum has connections to its database."""
    script(Turn(status=0, hang_after=0), repeat=True)
    calls = [asyncio.create_task(aclient.chat.completions.create(model=model, messages=HELLO)) for _ in range(40)]
    try:
        await asyncio.to_thread(backend.wait_for_requests, model, len(calls), timeout=1.9)
        assert (await aclient.models.retrieve("echo")).id == "echo"
    finally:
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    await asyncio.to_thread(backend.wait_until_idle, model)
