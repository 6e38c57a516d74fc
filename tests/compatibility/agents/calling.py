"""Calls of the methods of Azure's client for agents, the same for both kinds of it, and their record."""

import inspect
import itertools
import re
from typing import Any, Final

import httpx2
from azure.ai.agents import AgentsClient, aio
from azure.ai.agents.models import AgentEventHandler, AsyncAgentEventHandler
from azure.core.credentials import AzureKeyCredential
from azure.core.pipeline.policies import AzureKeyCredentialPolicy

from tests.compatibility.agents.surface import AnyAgentsClient, find
from tests.compatibility.calling import Kind, operation
from tests.fakes.completion_backend import CompletionBackend, ScriptedTurn
from tests.running import Locum

#: Where a project of Azure's would be.
PROJECT: Final = "/api/projects/shop"


class AgentsCaller:
    """A client of one kind that calls methods and notes that it did."""

    _numbers = itertools.count(1)

    def __init__(self, locum: Locum, backend: CompletionBackend, kind: Kind) -> None:
        self.kind = kind
        self.backend = backend
        #: Which operations the methods that were called have come to.
        self.operations: dict[str, set[str]] = {}
        self._asked: list[str] = []
        self._models: list[str] = []
        made = sync_client if kind == "sync" else _async_client
        self.client: AnyAgentsClient = made(f"{locum.origin}{PROJECT}", locum.api_key, raw_request_hook=self._note)

    def _note(self, request: Any) -> None:
        url = httpx2.URL(request.http_request.url)
        assert url.params["api-version"] == "v1"
        where = operation(request.http_request.method, url.copy_with(path=url.path.removeprefix(PROJECT)))
        self._asked.append(re.sub("^(GET|POST|DELETE) /v1", r"\1 ", where))

    async def aclose(self) -> None:
        """Closes the connections. The backend must have found nothing wrong with its requests."""
        await self("close")
        found = [request.violation for model in self._models for request in self.backend.received(model)]
        for model in self._models:
            self.backend.release(model)
            self.backend.forget(model)
        assert [violation for violation in found if violation is not None] == []

    def model(self, *turns: ScriptedTurn) -> str:
        """The name of a new model that answers with `turns`."""
        name = f"scripted-agents-{self.kind}-{next(self._numbers)}"
        self.backend.script(name, *turns)
        self._models.append(name)
        return name

    async def __call__(self, path: str, *given: Any, **named: Any) -> Any:
        """What the method at `path` answers; of lists and contents, all that they hold."""
        self._asked.clear()
        answer = find(self.client, path)(*given, **named)
        if inspect.isawaitable(answer):
            answer = await answer
        if hasattr(answer, "__aiter__"):
            answer = [item async for item in answer]
        elif hasattr(answer, "by_page") or inspect.isgenerator(answer):
            answer = list(answer)
        self._done(path)
        return answer

    async def events(self, path: str, *given: Any, **named: Any) -> list[tuple[str, Any]]:
        """The events of a stream, those that it goes on with when functions have been called too."""
        self._asked.clear()
        opened = find(self.client, path)(*given, **named)
        if self.kind == "sync":
            with opened as stream:
                events = [(kind, data) for kind, data, _ in stream]
        else:
            async with await opened as stream:
                events = [(kind, data) async for kind, data, _ in stream]
        self._done(path)
        return events

    def handler(self) -> Any:
        """What events are handed to, of the client's own kind."""
        return AgentEventHandler() if self.kind == "sync" else AsyncAgentEventHandler()

    def _done(self, path: str) -> None:
        self.operations.setdefault(path, set()).update(self._asked)


def sync_client(endpoint: str, key: str, **options: Any) -> AgentsClient:
    """A client that sends its key over plain HTTP too, and hides no failure by trying again."""
    return AgentsClient(endpoint, **_with_key(key), **options)


def _async_client(endpoint: str, key: str, **options: Any) -> aio.AgentsClient:
    return aio.AgentsClient(endpoint, **_with_key(key), **options)


def _with_key(key: str) -> Any:
    credential = AzureKeyCredential(key)
    policy = AzureKeyCredentialPolicy(credential, "Authorization", prefix="Bearer")
    return {"credential": credential, "authentication_policy": policy, "retry_total": 0}
