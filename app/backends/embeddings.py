"""Vectors of texts, from the server that LOCUM_EMBEDDINGS_URL names, or else from the model server.

Whatever a server refuses is tried in smaller parts before it is given up: several texts apart from each other, and a
text that is too long for the model in halves, whose vectors are averaged. No text is ever cut off silently.
"""

import asyncio
import base64
import math
import re
import sys
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, Final

import aiohttp
import orjson
import structlog

from app import tokens
from app.backends import lenient_json
from app.backends.base import BackendFailure
from app.backends.failures import Retryable, ServerError, Silence, failure_of, failure_of_connection, malformed
from app.backends.openai import RetryPolicy
from app.backends.routing import Backends, NoBackend, Upstream
from app.settings import Settings
from app.text import storable

Vector = list[float]

#: Of all texts of a request together; OpenAI takes 300,000 tokens.
_REQUEST_TOKENS: Final = 250_000
#: Requests of one call of `embed` that are under way at once.
_AT_ONCE: Final = 4
#: In the place of a text that has nothing in it, which servers refuse.
_BLANK: Final = "."
_MAX_ANSWER_BYTES: Final = 256 * 2**20

#: As OpenAI, vLLM, TEI, llama.cpp, Ollama and others say that a text is longer than the model's window.
_TOO_LONG: Final = re.compile(
    r"maximum (context|input|sequence) length|too (long|large)|context (length|size|window)|must have (less|fewer) than"
    r"|(exceed|longer than|larger than).{0,60}(token|length|window|batch size)|token limit",
    re.IGNORECASE,
)

_log = structlog.get_logger(__name__)


class _Refused(BackendFailure):
    """The server does not take these texts."""


class _TooLong(_Refused):
    """The server does not take these texts because of their length."""


class _NoBase64(Exception):
    """The server does not know `encoding_format`."""


class Embedder:
    """Makes vectors of texts. One object for a process; it stands on the process's `Backends`."""

    def __init__(self, settings: Settings, backends: Backends) -> None:
        self.model: Final = settings.embeddings_model
        self._backends = backends
        self._window = settings.embeddings_window
        self._batch = settings.embeddings_batch
        self._retry = RetryPolicy(settings.backend_retries)
        #: Servers that only send lists of numbers, by name.
        self._plain: set[str] = set()

    async def embed(self, texts: Sequence[str], model: str | None = None) -> list[Vector]:
        """The vectors of `texts`, in their order, each of length 1 and all of as many dimensions.

        They are made by `model`, or by `self.model`: vectors of different models do not compare. A text beyond
        LOCUM_EMBEDDINGS_WINDOW tokens is cut into windows, whose vectors are averaged. Raises BackendFailure, also for
        a model that the server does not know.
        """
        if not texts:
            return []
        try:
            upstream = self._backends.exact_embeddings_upstream(model or self.model)
        except NoBackend as e:
            raise BackendFailure("server_error", str(e)) from None
        windows = [tokens.windows(_writable(text), self._window) for text in texts]
        vectors = iter(await self._all(upstream, [window for of_text in windows for window in of_text]))
        return [_average([next(vectors) for _ in of_text]) for of_text in windows]

    async def _all(self, upstream: Upstream, texts: list[str]) -> list[Vector]:
        """The vectors of any number of texts that fit the model's window."""
        free = asyncio.Semaphore(_AT_ONCE)

        async def one(batch: list[str]) -> list[Vector]:
            async with free:
                return await self._batch_of(upstream, batch)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(batch)) for batch in self._batches(texts)]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        vectors = [vector for task in tasks for vector in task.result()]
        if len({len(vector) for vector in vectors}) > 1:
            raise malformed("embeddings of different dimensions")
        return vectors

    def _batches(self, texts: list[str]) -> Iterator[list[str]]:
        batch: list[str] = []
        size = 0
        for text in texts:
            length = tokens.at_most(text)
            if batch and (len(batch) == self._batch or size + length > _REQUEST_TOKENS):
                yield batch
                batch, size = [], 0
            batch.append(text)
            size += length
        yield batch

    async def _batch_of(self, upstream: Upstream, texts: list[str]) -> list[Vector]:
        """The vectors of what fits one request; of its parts, if the server refuses the whole."""
        try:
            return await self._persistently(upstream, texts)
        except _Refused as refusal:
            if len(texts) > 1:
                middle = len(texts) // 2
                first = await self._batch_of(upstream, texts[:middle])
                return first + await self._batch_of(upstream, texts[middle:])
            if not isinstance(refusal, _TooLong) or len(halves := tokens.halves(texts[0])) == 1:
                raise
            _log.warning("text_too_long_for_embeddings_model", model=upstream.model, window=self._window)
            return [_average(await self._batch_of(upstream, halves))]

    async def _persistently(self, upstream: Upstream, texts: list[str]) -> list[Vector]:
        attempt = 0
        while True:
            try:
                return await self._try(upstream, texts)
            except _NoBase64:
                self._plain.add(upstream.server.name)
            except Retryable as failure:
                # A server that was silent for minutes is given one more chance, not four times those minutes.
                tries = min(1, self._retry.retries) if isinstance(failure, Silence) else self._retry.retries
                if attempt >= tries:
                    raise
                pause = self._retry.pause(attempt, failure.after)
                _log.warning(
                    "embeddings_retried", server=upstream.server.name, why=failure.message, pause=round(pause, 3)
                )
                await asyncio.sleep(pause)
                attempt += 1

    async def _try(self, upstream: Upstream, texts: list[str]) -> list[Vector]:
        server = upstream.server
        body: dict[str, Any] = {"model": upstream.model, "input": texts}
        if server.name not in self._plain:
            body["encoding_format"] = "base64"
        try:
            async with await server.post("/embeddings", orjson.dumps(body)) as response:
                if response.status != 200:
                    raise _refusal(response, ServerError.from_body(await server.beginning(response)), body)
                answer = await _whole(response)
        except (aiohttp.ClientError, OSError) as e:
            raise failure_of_connection(e) from e
        return _read(answer, len(texts))


def _refusal(response: aiohttp.ClientResponse, error: ServerError, sent: dict[str, Any]) -> Exception:
    """What an answer with an error status means."""
    failure = failure_of(response.status, error, response.headers)
    if failure.code != "rate_limit_exceeded" and _TOO_LONG.search(error.words):
        return _TooLong("invalid_prompt", failure.message)
    if failure.code == "invalid_prompt":
        about_format = f"{error.param} {error.words}"
        if "encoding_format" in sent and ("encoding_format" in about_format or "base64" in about_format):
            return _NoBase64()
        return _Refused(failure.code, failure.message)
    return failure


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for data in response.content.iter_any():
        body += data
        if len(body) > _MAX_ANSWER_BYTES:
            raise malformed("an answer that is too long")
    return bytes(body)


def _read(answer: bytes, count: int) -> list[Vector]:
    """The vectors of an answer, in the order of the texts. Raises BackendFailure: it is none, or not for `count`."""
    try:
        data = lenient_json.loads(answer)["data"]
        # Not every server tells an index; those that do may send the vectors in another order.
        data = sorted(data, key=lambda item: item["index"]) if all("index" in item for item in data) else data
        vectors = [_decoded(item["embedding"]) for item in data]
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError):
        raise malformed("something that is not a list of embeddings", answer) from None
    if len(vectors) != count:
        raise malformed(f"{len(vectors)} embeddings for {count} texts")
    if not all(vectors):
        raise malformed("an embedding without dimensions")
    return [_normalised(vector) for vector in vectors]


def _decoded(embedding: Any) -> Vector:
    """The numbers of an embedding, a list or base64 of float32 (little-endian). Raises ValueError, TypeError."""
    if not isinstance(embedding, str):
        return [float(number) for number in embedding]
    numbers = array("f")
    numbers.frombytes(base64.b64decode(embedding, validate=True))
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()


def _normalised(vector: Vector) -> Vector:
    """`vector` at length 1. A zero vector, which has no direction, gets one that hardly anything else has."""
    length = math.hypot(*vector)
    if not math.isfinite(length):
        raise malformed("an embedding with a number that is none, or without end")
    if length == 0:
        return [1.0, *([0.0] * (len(vector) - 1))]
    return [number / length for number in vector]


def _average(vectors: list[Vector]) -> Vector:
    return (
        vectors[0] if len(vectors) == 1 else _normalised([math.fsum(numbers) for numbers in zip(*vectors, strict=True)])
    )


def _writable(text: str) -> str:
    """`text` as a server takes it: something, and Unicode (a lone surrogate is none)."""
    if not text.strip():
        return _BLANK
    return storable(text)
