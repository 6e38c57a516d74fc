"""What every scenario is given: clients, and a model that answers as told."""

import itertools
import json
import urllib.request
import uuid
from collections.abc import Callable
from typing import Any

from openai import AsyncOpenAI, OpenAI

from tests.recorded import teach_the_client

teach_the_client()

Json = dict[str, Any]

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
TIME: Any = {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}}}

#: What a model says that wants both functions.
BOTH_CALLS: Json = {
    "tool_calls": [{"name": "get_weather", "arguments": {"city": "Oslo"}}, {"name": "get_time", "arguments": {}}]
}


class Bench:
    """A Locum to talk to, and the scripted backend behind it (see tests/fakes/completion_backend.py)."""

    def __init__(self, base_url: str, api_key: str, backend: str) -> None:
        self.base_url = base_url
        self.api_key = api_key
        self._backend = backend.rstrip("/")
        self._name = f"scripted-{uuid.uuid4().hex[:12]}"
        self._numbers = itertools.count(1)
        self.client = OpenAI(**self._options())

    def _options(self) -> Json:
        # Answers that are not of the client's types are errors; no failure is hidden by trying again.
        return {
            "base_url": self.base_url,
            "api_key": self.api_key,
            "max_retries": 0,
            "timeout": 30,
            "_strict_response_validation": True,
        }

    def async_client(self) -> AsyncOpenAI:
        """The asynchronous client; to be closed by the caller."""
        return AsyncOpenAI(**self._options())

    def lenient_client(self) -> OpenAI:
        """A client that takes answers as they come; to be closed by the caller. The strict one validates embeddings
        before it has decoded them."""
        return OpenAI(**{**self._options(), "_strict_response_validation": False})

    def model(self, *turns: Json, repeat: bool = False) -> str:
        """The name of a new model that answers with `turns`, one a request."""
        name = f"{self._name}-{next(self._numbers)}"
        self._control("PUT", f"/scripts/{name}?repeat={int(repeat)}", list(turns))
        return name

    def received(self, model: str) -> list[Json]:
        """The bodies of the requests that the backend has had for `model`."""
        requests = self._control("GET", f"/requests/{model}")
        wrong = [request["violation"] for request in requests if request["violation"]]
        equal(wrong, [])
        return [request["body"] for request in requests]

    def release(self, model: str) -> None:
        """Lets the answers of `model` that hang (`hang_after`) go on."""
        self._control("POST", f"/release/{model}")

    def _control(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._backend + path, data, method=method)
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)

    def ready(self, model: str, text: str = "Hi", **assistant: Any) -> tuple[str, str]:
        """The ids of a new assistant and of a new thread with one message."""
        made = self.client.beta.assistants.create(model=model, **assistant)
        thread = self.client.beta.threads.create(messages=[{"role": "user", "content": text}])
        return made.id, thread.id


def equal(found: object, expected: object) -> None:
    """Raises AssertionError, showing both, unless they are equal."""
    if found != expected:
        raise AssertionError(f"\n  found     {found!r}\n  expected  {expected!r}")


def text_of(message: Any) -> str:
    """The text of a message of one part."""
    (part,) = message.content
    equal(part.type, "text")
    return str(part.text.value)


def without_repeats(names: list[str]) -> list[str]:
    """Deltas that follow each other count as one: how many there are depends on how fast they come."""
    return [name for at, name in enumerate(names) if at == 0 or name != names[at - 1]]


Scenario = Callable[[Bench], None]
