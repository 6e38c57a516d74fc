"""Vectors of texts: every dialect, everything that can go wrong, against the scripted server."""

import asyncio
import base64
import math
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from app import tokens
from app.backends.base import BackendFailure
from app.backends.embeddings import Embedder
from app.backends.openai import RetryPolicy
from app.backends.routing import Backends
from app.settings import Settings
from tests.fakes.completion_backend import CompletionBackend, Turn, embedding, embeddings
from tests.running import free_port

KEY = "sk-very-secret-key"
Make = Callable[..., Embedder]


@pytest.fixture
async def make(backend: CompletionBackend, model: str) -> AsyncIterator[Make]:
    """Makes embedders: `make(embeddings_batch=2)`."""
    opened: list[Backends] = []

    def of(**settings: Any) -> Embedder:
        given = {"embeddings_url": backend.url, "embeddings_model": model, "embeddings_api_key": KEY, **settings}
        made = Settings(**{"backend_retries": 2, "backend_idle_timeout": 2, **given})
        opened.append(Backends(made))
        embedder = Embedder(made, opened[-1])
        embedder._retry = RetryPolicy(made.backend_retries, first_pause=0.001)
        return embedder

    yield of
    for backends in opened:
        await backends.close()


@pytest.fixture
def embedder(make: Make) -> Embedder:
    return make()


def _near(vector: list[float]) -> Any:
    return pytest.approx(vector, abs=1e-6)


def _data(*vectors: Any) -> dict[str, Any]:
    return {"data": [{"index": index, "embedding": vector} for index, vector in enumerate(vectors)]}


def _error(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", **more}}


async def _failure(embedder: Embedder, *texts: str) -> BackendFailure:
    with pytest.raises(BackendFailure) as raised:
        await embedder.embed(texts or ["one", "two"])
    return raised.value


async def test_vectors_in_the_order_of_the_texts(embedder: Embedder, backend: CompletionBackend, model: str) -> None:
    assert await embedder.embed([]) == []
    assert await embedder.embed(["one", "two words"]) == [_near(embedding("one")), _near(embedding("two words"))]
    (request,) = backend.received(model)
    assert request.body == {"model": model, "input": ["one", "two words"], "encoding_format": "base64"}
    assert request.headers["authorization"] == f"Bearer {KEY}"


async def test_another_model_of_the_same_server(embedder: Embedder, backend: CompletionBackend, model: str) -> None:
    older = f"{model}-older"
    await embedder.embed(["one"], model=older)
    assert (len(backend.requests(older)), backend.requests(model)) == (1, [])
    backend.script(older, Turn(status=404, body=_error(f"model {older} not found")))
    with pytest.raises(BackendFailure, match="answered 404: model .* not found"):
        await embedder.embed(["one"], model=older)
    backend.forget(older)


async def test_without_a_server_of_their_own_the_backend_makes_them(
    make: Make, backend: CompletionBackend, model: str
) -> None:
    routes = [{"match": "ada", "model": model}]
    backends = make(embeddings_url=None, backend_url=backend.url, embeddings_model="ada", models=routes)
    assert await backends.embed(["one"]) == [_near(embedding("one"))]
    assert backends.model == "ada"
    assert "No model server" in (await _failure(make(embeddings_url=None))).message


async def test_many_texts_go_in_batches_side_by_side(make: Make, backend: CompletionBackend, model: str) -> None:
    texts = [f"text {number}" for number in range(45)]
    backend.script(model, Turn(delay=0.2), repeat=True)
    began = asyncio.get_running_loop().time()
    assert await make(embeddings_batch=5).embed(texts) == [_near(embedding(text)) for text in texts]
    assert asyncio.get_running_loop().time() - began < 9 * 0.2
    assert [len(body["input"]) for body in backend.requests(model)] == [5] * 9


async def test_a_request_has_no_more_tokens_than_openai_takes(
    make: Make, backend: CompletionBackend, model: str
) -> None:
    backend.script(model, lambda body: Turn(body=_data(*([[1.0]] * len(body["input"])))), repeat=True)
    await make(embeddings_window=100_000).embed(["a" * 90_000] * 5)
    # They are under way together, and may come in any order.
    assert sorted(len(body["input"]) for body in backend.requests(model)) == [1, 2, 2]


async def test_a_long_text_is_windowed_and_averaged(make: Make, backend: CompletionBackend, model: str) -> None:
    long = " ".join(f"word{number}" for number in range(300))
    short, vector, blank = await make(embeddings_window=64).embed(["short", long, ""])
    assert (short, blank) == (_near(embedding("short")), _near(embedding(".")))
    (body,) = backend.requests(model)
    windows = body["input"][1:-1]
    assert "".join(windows) == long
    assert all(tokens.count(window) <= 64 for window in windows)
    mean = [sum(numbers) / len(windows) for numbers in zip(*map(embedding, windows), strict=True)]
    assert vector == _near([number / math.hypot(*mean) for number in mean])
    assert math.hypot(*vector) == pytest.approx(1)


async def test_a_text_that_is_still_too_long_is_halved(make: Make, backend: CompletionBackend, model: str) -> None:
    """As where LOCUM_EMBEDDINGS_WINDOW is more than the model has."""

    def narrow(body: dict[str, Any]) -> Turn:
        if any(len(item.split()) > 40 for item in body["input"]):
            return Turn(status=500, body=_error("input (70 tokens) is too large to process. increase the batch size"))
        return Turn(body=embeddings(body))

    backend.script(model, narrow, repeat=True)
    long = "word " * 120
    short, vector = await make().embed(["short", long])
    assert short == _near(embedding("short"))
    assert vector == _near(embedding("word"))
    accepted = [item for body in backend.requests(model) for item in body["input"] if len(item.split()) <= 40]
    assert "".join(item for item in accepted if item != "short") == long


async def test_a_batch_that_is_refused_goes_in_parts(
    embedder: Embedder, backend: CompletionBackend, model: str
) -> None:
    def few(body: dict[str, Any]) -> Turn:
        if len(body["input"]) > 2:
            return Turn(status=413, body=_error("batch size 5 > maximum allowed batch size 2"))
        return Turn(body=embeddings(body))

    backend.script(model, few, repeat=True)
    texts = list("abcde")
    assert await embedder.embed(texts) == [_near(embedding(text)) for text in texts]


async def test_a_refusal_of_a_text_is_told(embedder: Embedder, backend: CompletionBackend, model: str) -> None:
    backend.script(model, Turn(status=400, body=_error(f"not with {KEY}")), repeat=True)
    failure = await _failure(embedder, *"abcdefgh")
    assert failure.message == "The model server answered 400: not with ***"
    assert failure.code == "invalid_prompt"
    assert [len(body["input"]) for body in backend.requests(model)] == [8, 4, 2, 1]


async def test_servers_without_base64(embedder: Embedder, backend: CompletionBackend, model: str) -> None:
    refusal = Turn(status=422, body=_error("Extra inputs are not permitted", param="encoding_format"))
    backend.script(model, refusal, Turn(), Turn())
    for _ in range(2):
        assert await embedder.embed(["one"]) == [_near(embedding("one"))]
    assert ["encoding_format" in body for body in backend.requests(model)] == [True, False, False]


async def test_servers_that_ignore_base64_and_have_an_order_of_their_own(
    embedder: Embedder, backend: CompletionBackend, model: str
) -> None:
    swapped = {"data": [{"index": 1, "embedding": [0, 2]}, {"index": 0, "embedding": [3, 4]}]}
    backend.script(model, Turn(body=swapped), Turn(body={"data": [{"embedding": [1, 0]}, {"embedding": [0, 1]}]}))
    assert await embedder.embed(["one", "two"]) == [[0.6, 0.8], [0, 1]]
    assert await embedder.embed(["one", "two"]) == [[1, 0], [0, 1]]


async def test_a_zero_vector_gets_a_direction(embedder: Embedder, backend: CompletionBackend, model: str) -> None:
    backend.script(model, Turn(body=_data([0, 0, 0], [0, 0, 2])))
    assert await embedder.embed(["one", "two"]) == [[1, 0, 0], [0, 0, 1]]


_NAN = base64.b64encode(struct.pack("<2f", 1, math.nan)).decode()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (_data([1.0]), "1 embeddings for 2 texts"),
        (_data([1.0], [1.0], [1.0]), "3 embeddings for 2 texts"),
        (_data([1.0], [1.0, 2.0]), "different dimensions"),
        (_data([], []), "without dimensions"),
        (_data([1.0], [None]), "not a list of embeddings"),
        (_data([1.0, 1.0], _NAN), "a number that is none"),
        (_data("AAAA", "AAAA"), "not a list of embeddings"),
        (_data("no base64", "="), "not a list of embeddings"),
        ({"data": None}, "not a list of embeddings"),
        ("<html>", "not a list of embeddings: <html>"),
    ],
)
async def test_answers_that_make_no_sense(
    embedder: Embedder, backend: CompletionBackend, model: str, body: Any, words: str
) -> None:
    backend.script(model, Turn(body=body))
    assert words in (await _failure(embedder)).message
    assert len(backend.requests(model)) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_may_pass_is_tried_again(
    embedder: Embedder, backend: CompletionBackend, model: str, status: int
) -> None:
    backend.script(model, Turn(status=status, headers={"retry-after": "0"}), Turn(status=status), Turn())
    assert await embedder.embed(["one"]) == [_near(embedding("one"))]
    backend.script(model, *[Turn(status=status)] * 3)
    code = "rate_limit_exceeded" if status == 429 else "server_error"
    assert (await _failure(embedder)).code == code


async def test_connections_that_break(embedder: Embedder, backend: CompletionBackend, model: str) -> None:
    # A broken connection is tried once more by itself (ModelServer.post), before it counts as a failure.
    backend.script(model, *[Turn(status=0)] * 3, Turn())
    assert await embedder.embed(["one"]) == [_near(embedding("one"))]


async def test_no_server(make: Make) -> None:
    failure = await _failure(make(embeddings_url=f"http://127.0.0.1:{free_port()}/v1"))
    assert failure.message == "The model server cannot be reached: Connection refused."


async def test_silence_is_given_one_more_chance(make: Make, backend: CompletionBackend, model: str) -> None:
    backend.script(model, *[Turn(status=0, hang_after=0)] * 2)
    failure = await _failure(make(backend_idle_timeout=0.2))
    assert failure.message == "The model server sent nothing for too long."


async def test_the_first_failure_ends_the_other_requests(make: Make, backend: CompletionBackend, model: str) -> None:
    backend.script(model, Turn(status=401, body=_error("no key")), *[Turn(status=0, hang_after=0)] * 3)
    failure = await _failure(make(embeddings_batch=1), *"abcd")
    assert "no key" in failure.message
    await asyncio.to_thread(backend.wait_until_idle, model)


async def test_texts_that_are_no_unicode(embedder: Embedder, backend: CompletionBackend, model: str) -> None:
    await embedder.embed(["a \ud800 b", " \n"])
    assert backend.requests(model)[0]["input"] == ["a \ufffd b", "."]
