"""A client of the scripted backend, impatient."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass

import pytest

from app.backends.base import (
    BackendFailure,
    CompletionBackend,
    CompletionRequest,
    Delta,
    Finish,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
)
from app.backends.openai import OpenAIBackend, RetryPolicy
from app.backends.server import Connections, ModelServer
from app.settings import BackendSettings, Settings
from tests.fakes.completion_backend import CompletionBackend as Fake

API_KEY = "sk-very-secret-key"
HELLO = CompletionRequest([{"role": "user", "content": "Hello"}])
RETRIES = 2


@dataclass
class Heard:
    """What a stream brought."""

    deltas: list[Delta]
    failure: BackendFailure | None = None

    @property
    def text(self) -> str:
        return "".join(delta.text for delta in self.deltas if isinstance(delta, TextDelta))

    @property
    def refusal(self) -> str:
        return "".join(delta.text for delta in self.deltas if isinstance(delta, RefusalDelta))

    @property
    def finish(self) -> Finish:
        finish = self.deltas[-1]
        assert isinstance(finish, Finish)
        assert not any(isinstance(delta, Finish) for delta in self.deltas[:-1])
        return finish

    @property
    def calls(self) -> list[tuple[str, str]]:
        """Names and arguments; the name must have come once, with the call's first delta, and indices in order."""
        calls: list[tuple[str, str]] = []
        for delta in self.deltas:
            if isinstance(delta, ToolCallDelta):
                if delta.name is not None:
                    assert delta.index == len(calls)
                    calls.append((delta.name, ""))
                name, arguments = calls[delta.index]
                calls[delta.index] = name, arguments + delta.arguments
        return calls


async def hear(backend: CompletionBackend, request: CompletionRequest = HELLO) -> Heard:
    """Listens to the end, or to the failure."""
    heard = Heard([])
    try:
        async with aclosing(backend.stream(request)) as batches:
            async for batch in batches:
                assert batch
                heard.deltas += batch
    except BackendFailure as failure:
        heard.failure = failure
    return heard


Connect = Callable[..., OpenAIBackend]


@pytest.fixture
async def connect(backend: Fake, model: str) -> AsyncIterator[Connect]:
    """Makes clients: `connect(url=..., idle_timeout=...)`."""
    opened: list[Connections] = []

    def make(url: str = backend.url, idle_timeout: float = 5, retries: int = RETRIES) -> OpenAIBackend:
        settings = Settings(backend_idle_timeout=idle_timeout, backend_connect_timeout=2)
        opened.append(Connections(settings))
        server = ModelServer("test", BackendSettings(url=url, api_key=API_KEY), opened[-1])
        return OpenAIBackend(server, model, RetryPolicy(retries, first_pause=0.001))

    yield make
    for connections in opened:
        await connections.close()


@pytest.fixture
def native(connect: Connect) -> OpenAIBackend:
    """A client of the test's own model."""
    return connect()
