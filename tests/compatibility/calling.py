"""Calls of the client's methods, the same for every kind of client and every variant of a method, and their record."""

import inspect
import itertools
import re
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

import httpx2
import pytest
from openai import APIStatusError, AsyncOpenAI, DefaultAsyncHttpxClient, DefaultHttpxClient, OpenAI

from tests.compatibility.surface import AnyClient, Method, Variant, find, methods
from tests.fakes.completion_backend import CompletionBackend, ScriptedTurn
from tests.running import Locum

Kind = Literal["sync", "async"]
KINDS: Final[tuple[Kind, ...]] = ("sync", "async")

#: Segments of a path that are ids, by how they begin.
_IDS: Final = {
    "asst_": "{assistant_id}",
    "thread_": "{thread_id}",
    "msg_": "{message_id}",
    "run_": "{run_id}",
    "step_": "{step_id}",
    "file-": "{file_id}",
    "upload_": "{upload_id}",
    "vs_": "{vector_store_id}",
    "vsfb_": "{batch_id}",
    "chatcmpl-": "{completion_id}",
}


class Called(NamedTuple):
    kind: Kind
    method: Method


@dataclass
class Record:
    """Which methods were called, and which operations of the API that came to."""

    answered: set[Called] = field(default_factory=set)
    refused: set[Called] = field(default_factory=set)
    #: By the paths of methods; "POST /threads/{thread_id}/runs" is an operation.
    operations: dict[str, set[str]] = field(default_factory=dict)

    @property
    def called(self) -> set[Called]:
        return self.answered | self.refused


def operation(method: str, url: httpx2.URL) -> str:
    """The operation that a request asks for, with names in place of the ids."""
    path = re.sub(r"^/v1", "", url.path)
    if path.startswith("/models/"):
        return f"{method} /models/{{model}}"
    segments = [
        next((name for start, name in _IDS.items() if part.startswith(start)), part) for part in path.split("/")
    ]
    return f"{method} {'/'.join(segments)}"


class Caller:
    """A client of one kind that calls methods in one variant, where they have it, and notes that it did."""

    _numbers = itertools.count(1)

    def __init__(self, locum: Locum, backend: CompletionBackend, kind: Kind, variant: Variant, record: Record) -> None:
        self.kind = kind
        self.variant = variant
        self.backend = backend
        self._record = record
        self._operations: list[str] = []
        self._models: list[str] = []
        self._strict = self._client(locum, strict=True)
        self._lenient = self._client(locum, strict=False)
        self.offered = methods(self._strict)

    def _client(self, locum: Locum, *, strict: bool) -> AnyClient:
        options: Any = {"base_url": locum.base_url, "api_key": locum.api_key, "max_retries": 0, "timeout": 30}
        options["_strict_response_validation"] = strict
        if self.kind == "sync":
            return OpenAI(**options, http_client=DefaultHttpxClient(event_hooks={"request": [self._note]}))

        async def note(request: httpx2.Request) -> None:
            self._note(request)

        return AsyncOpenAI(**options, http_client=DefaultAsyncHttpxClient(event_hooks={"request": [note]}))

    def _note(self, request: httpx2.Request) -> None:
        self._operations.append(operation(request.method, request.url))

    async def aclose(self) -> None:
        """Closes the connections. The backend must have found nothing wrong with its requests."""
        for client in (self._strict, self._lenient):
            closing = client.close()
            if inspect.isawaitable(closing):
                await closing
        found = [request.violation for model in self._models for request in self.backend.received(model)]
        for model in self._models:
            self.backend.release(model)
            self.backend.forget(model)
        assert [violation for violation in found if violation is not None] == []

    def model(self, *turns: ScriptedTurn) -> str:
        """The name of a new model that answers with `turns`."""
        name = f"scripted-compatibility-{next(self._numbers)}"
        self.backend.script(name, *turns)
        self._models.append(name)
        return name

    async def __call__(self, path: str, *given: Any, lenient: bool = False, **named: Any) -> Any:
        """What the method at `path` answers, in the shape of its plain variant.

        The answer is of the method's type, for the client checks it, unless it is to be `lenient`.
        """
        method = self._method(path)
        answer = await self._answer(find(self._lenient if lenient else self._strict, method)(*given, **named))
        self._done(method, self._record.answered)
        return answer

    async def events(self, path: str, **named: Any) -> list[Any]:
        """The events of a method that opens a stream: a helper, or one with `stream=True`."""
        method = self._method(path)
        opened = find(self._strict, method)(**named)
        if hasattr(opened, "__enter__") and method.variant == "plain":
            with opened as stream:
                events = list(stream)
        elif hasattr(opened, "__aenter__") and method.variant == "plain":
            async with opened as stream:
                events = [event async for event in stream]
        else:
            raise TypeError(f"{path} opens no stream")
        self._done(method, self._record.answered)
        return events

    async def refused(self, path: str, *given: Any, **named: Any) -> None:
        """Calls a method that Locum does not serve: it must say so, in a way that clients understand."""
        method = self._method(path)
        with pytest.raises(APIStatusError) as caught:
            await self._answer(find(self._strict, method)(*given, **named))
        assert caught.value.status_code in (404, 405)
        assert isinstance(caught.value.body, dict)
        assert set(caught.value.body) == {"message", "type", "param", "code"}
        self._done(method, self._record.refused)

    def _method(self, path: str) -> Method:
        self._operations.clear()
        method = Method(self.variant, path)
        return method if method in self.offered else Method("plain", path)

    def _done(self, method: Method, into: set[Called]) -> None:
        into.add(Called(self.kind, method))
        self._record.operations.setdefault(method.path, set()).update(self._operations)

    async def _answer(self, returned: Any) -> Any:
        """The answer itself, whatever it came in."""
        if self.variant == "with_streaming_response" and hasattr(returned, "__enter__"):
            with ExitStack() as stack:
                response = stack.enter_context(returned)
                return response.parse()
        if self.variant == "with_streaming_response" and hasattr(returned, "__aenter__"):
            async with returned as response:
                return await response.parse()
        answer = await returned if inspect.isawaitable(returned) else returned
        if hasattr(answer, "http_response"):
            assert answer.http_response.status_code == 200
            assert answer.headers["x-request-id"].startswith("req_")
            parsed = answer.parse()
            return await parsed if inspect.isawaitable(parsed) else parsed
        return answer
