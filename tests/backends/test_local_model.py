"""Tool calling on the small model that Locum brings along, for real."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from app.backends.base import CompletionRequest
from app.backends.routing import Backends
from app.settings import Settings
from tests.backends.conftest import hear
from tests.running import free_port, wait_for

pytestmark = pytest.mark.slow

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the current weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
QUESTION = {"role": "user", "content": "What is the weather in Paris?"}


@pytest.fixture(scope="module")
def local_model() -> Iterator[str]:
    """Its base URL, when it serves."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/v1"
    process = subprocess.Popen(
        [sys.executable, "-m", "app.embedded.local_model", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def serves() -> bool:
        assert process.poll() is None, "the local model has ended"
        try:
            with urllib.request.urlopen(f"{url}/models", timeout=1) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return False

    try:
        wait_for(serves, "the local model to serve", 60)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
async def backends(local_model: str) -> AsyncIterator[Backends]:
    made = Backends(Settings(backend_url=local_model, tools="emulated"))
    yield made
    await made.close()


def _ask(messages: list[dict[str, Any]], **more: Any) -> CompletionRequest:
    return CompletionRequest(messages, temperature=0, max_completion_tokens=200, **more)


async def test_a_function_is_called_and_its_output_told(backends: Backends) -> None:
    model = await backends.resolve("gpt-4o")
    assert (model.tools, model.context_window) == ("emulated", 8192)
    called = await hear(model.backend, _ask([QUESTION], tools=[WEATHER]))
    assert called.failure is None
    assert called.finish.reason == "tool_calls"
    assert called.finish.usage is not None
    ((name, arguments),) = called.calls
    assert (name, json.loads(arguments)) == ("get_weather", {"city": "Paris"})
    call = {"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}
    told: list[dict[str, Any]] = [
        QUESTION,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "21 degrees and sunny"},
    ]
    answered = await hear(model.backend, _ask(told, tools=[WEATHER]))
    assert answered.failure is None
    assert (answered.calls, answered.finish.reason) == ([], "stop")
    assert "21" in answered.text


async def test_a_forced_choice_and_a_format(backends: Backends) -> None:
    backend = (await backends.resolve("gpt-4o")).backend
    hello = {"role": "user", "content": "Hello!"}
    forced = await hear(backend, _ask([hello], tools=[WEATHER], tool_choice="required", parallel_tool_calls=False))
    assert [name for name, _ in forced.calls] == ["get_weather"]
    schema = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"]}
    format_ = {"type": "json_schema", "json_schema": {"name": "sum", "schema": schema, "strict": True}}
    formatted = await hear(backend, _ask([{"role": "user", "content": "2 + 2?"}], response_format=format_))
    assert isinstance(json.loads(formatted.text)["sum"], int)
