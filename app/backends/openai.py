"""The streaming chat completions client, for every server that speaks OpenAI's API."""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import structlog

from app.backends.base import BackendFailure, CompletionRequest, Delta
from app.backends.deltas import DeltaReader
from app.backends.failures import Retryable, ServerError, Silence, failure_of, failure_of_connection, malformed
from app.backends.parameters import Dialect, Window
from app.backends.server import ModelServer
from app.backends.sse import MAX_EVENT_BYTES, EventSplitter, EventTooLong
from app.text import to_json

#: How long the end of a response may lag behind its `[DONE]`. Read to its end, a connection can be used again.
_END_LAG_SECONDS = 0.1

_BOM = b"\xef\xbb\xbf"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and after what pauses (seconds) a call is tried again: exponential, with jitter."""

    retries: int
    first_pause: float = 0.25
    longest_pause: float = 8
    longest_retry_after: float = 30

    def pause(self, attempt: int, asked_for: float | None) -> float:
        """Before try number `attempt` + 2; `asked_for` is what the server wants."""
        if asked_for is not None:
            return min(asked_for, self.longest_retry_after)
        return min(self.first_pause * 2.0**attempt, self.longest_pause) * random.uniform(0.5, 1)  # noqa: S311


#: Is told the names of the server and the model, and what was learnt of it in words.
OnLesson = Callable[[str, str, str], None]


class _Adapted(Exception):
    """The server refused something, which the next request will leave out or tell otherwise."""


class OpenAIBackend:
    """The model `model` of `server`. Keeps what it learns of the model's dialect, so keep the object."""

    def __init__(self, server: ModelServer, model: str, retry: RetryPolicy, on_lesson: OnLesson | None = None) -> None:
        self._server = server
        self._model = model
        self._retry = retry
        self._dialect = Dialect()
        self._on_lesson = on_lesson

    @property
    def window(self) -> Window | None:
        """The context window, if the server has told it by a refusal."""
        return self._dialect.window

    def note(self, lesson: str, why: str) -> None:
        """Says what was learnt of the model, in the log and to whoever listens."""
        _log.warning("model_lesson", server=self._server.name, model=self._model, lesson=lesson, why=why)
        if self._on_lesson is not None:
            self._on_lesson(self._server.name, self._model, lesson)

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[list[Delta], None]:
        """Streams one completion, as `CompletionBackend` says."""
        attempt = 0
        while True:
            begun = False
            try:
                async with aclosing(self._try(request)) as batches:
                    async for batch in batches:
                        begun = True
                        yield batch
            except _Adapted:
                continue
            except Retryable as failure:
                # A server that was silent for minutes is given one more chance, not four times those minutes.
                tries = min(1, self._retry.retries) if isinstance(failure, Silence) else self._retry.retries
                if begun or attempt >= tries:
                    raise
                await self._pause(attempt, failure)
                attempt += 1
            else:
                return

    async def _pause(self, attempt: int, failure: Retryable) -> None:
        pause = self._retry.pause(attempt, failure.after)
        _log.warning("model_call_retried", server=self._server.name, why=failure.message, pause=round(pause, 3))
        await asyncio.sleep(pause)

    async def _try(self, request: CompletionRequest) -> AsyncGenerator[list[Delta], None]:
        sent = self._dialect.body(self._model, request)
        async with self._troubles_told(), await self._server.post("/chat/completions", _encoded(sent)) as response:
            if response.status != 200:
                await self._refused(response, request, sent)
            begun = False
            try:
                async with aclosing(_read(response, DeltaReader(_tool_names(request)))) as batches:
                    async for batch in batches:
                        begun = True
                        yield batch
            except BackendFailure as failure:
                if not begun and failure.told is not None:
                    self._adapt(200, failure.told, request, sent)
                raise

    @asynccontextmanager
    async def _troubles_told(self) -> AsyncIterator[None]:
        """Turns what goes wrong on the way into BackendFailures that do not show the key."""
        try:
            yield
        except BackendFailure as failure:
            failure.message = self._server.redacted(failure.message)
            failure.args = (failure.message,)
            raise
        except EventTooLong:
            raise malformed("an event that is too long") from None
        except (aiohttp.ClientError, OSError) as e:
            raise failure_of_connection(e) from e

    async def _refused(
        self, response: aiohttp.ClientResponse, request: CompletionRequest, sent: dict[str, Any]
    ) -> None:
        """Raises what an answer with an error status means."""
        error = ServerError.from_body(await self._server.beginning(response))
        self._adapt(response.status, error, request, sent)
        raise failure_of(response.status, error, response.headers)

    def _adapt(self, status: int, error: ServerError, request: CompletionRequest, sent: dict[str, Any]) -> None:
        """Learns from a refusal. Raises _Adapted if something was learnt, and what the dialect raises."""
        window = self._dialect.window
        try:
            lesson = self._dialect.learn(status, error, request, sent)
        finally:
            if self._dialect.window is not None and self._dialect.window != window:
                self.note(f"its context window is {self._dialect.window.tokens} tokens", error.words)
        if lesson is not None:
            self.note(lesson, error.words)
            raise _Adapted


def _encoded(body: dict[str, Any]) -> bytes:
    try:
        return to_json(body)
    except TypeError as e:  # a number of more than 64 bits, or what is nested more deeply than 254 levels
        raise BackendFailure("invalid_prompt", f"The request cannot be written as JSON: {e}") from None


def _tool_names(request: CompletionRequest) -> frozenset[str]:
    return frozenset(str(tool["function"]["name"]) for tool in request.tools if tool.get("type") == "function")


async def _read(response: aiohttp.ClientResponse, reader: DeltaReader) -> AsyncGenerator[list[Delta], None]:
    """The deltas of a response with status 200, a batch for each read that brought some."""
    content = response.content
    first = await _beginning(content)
    if first.lstrip().startswith(b"{"):  # `stream` was ignored, whatever the content type says
        yield await _whole(response, first, reader)
        return
    splitter = EventSplitter()
    received, seen_events = first, False
    while True:
        payloads = splitter.feed(received) if received else splitter.end()
        seen_events = seen_events or bool(payloads)
        batch, done, failure = _deltas(reader, payloads)
        if batch:
            yield batch
        if failure is not None:
            raise failure
        if done:
            break
        if not received:
            _check_complete(reader, seen_events, first)
            break
        received = await content.readany()
    yield reader.finish()
    await _read_to_end(response)


async def _beginning(content: aiohttp.StreamReader) -> bytes:
    """The first bytes of a response, up to one that tells what it is, without a byte order mark."""
    first = b""
    while not first.strip() or _BOM.startswith(first):
        received = await content.readany()
        if not received:
            break
        first += received
    return first.removeprefix(_BOM)


def _deltas(reader: DeltaReader, payloads: list[bytes]) -> tuple[list[Delta], bool, BackendFailure | None]:
    """What the events bring, whether `[DONE]` was among them, and the failure that came after what they bring."""
    batch: list[Delta] = []
    for payload in payloads:
        if payload.removeprefix(_BOM).strip() == b"[DONE]":
            return batch, True, None
        try:
            reader.read(payload, batch)
        except BackendFailure as failure:
            return batch, False, failure
    return batch, False, None


def _check_complete(reader: DeltaReader, seen_events: bool, first: bytes) -> None:
    """Raises unless a response without `[DONE]`, which some servers do not send, is complete all the same."""
    if reader.finished:
        return
    if first and not seen_events:
        raise malformed("something that is not a completion", first)
    raise Retryable("server_error", "The model server ended its answer before it was complete.")


async def _whole(response: aiohttp.ClientResponse, first: bytes, reader: DeltaReader) -> list[Delta]:
    """The deltas of a completion that is one JSON object."""
    body = bytearray(first)
    async for data in response.content.iter_any():
        body += data
        if len(body) > MAX_EVENT_BYTES:
            raise malformed("an answer that is too long")
    batch: list[Delta] = []
    reader.read(bytes(body), batch)
    if not batch and not reader.finished:
        raise malformed("something that is not a completion", bytes(body))
    return [*batch, *reader.finish()]


async def _read_to_end(response: aiohttp.ClientResponse) -> None:
    try:
        async with asyncio.timeout(_END_LAG_SECONDS):
            while await response.content.readany():
                pass
    except (TimeoutError, aiohttp.ClientError, OSError):
        response.close()
