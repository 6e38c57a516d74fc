"""The small embedding model that Locum brings along, for real."""

import importlib.util
import math
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from app.backends.embeddings import Embedder
from app.backends.routing import Backends
from app.embedded import minilm
from app.embedded.errors import CannotStart
from app.settings import Settings
from tests.running import free_port, wait_for


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Its base URL, when it serves."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "app.embedded.local_embeddings", str(port)])

    def serves() -> bool:
        assert process.poll() is None, "the local embeddings have ended"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return False

    try:
        wait_for(serves, "the local embeddings to serve", 60)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        try:
            assert process.wait(10) == 0
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=url, api_key="none", max_retries=0, timeout=30) as opened:
        yield opened


def _vectors(client: OpenAI, *texts: str) -> list[list[float]]:
    answer = client.embeddings.create(model=minilm.NAME, input=list(texts))
    return [item.embedding for item in answer.data]


def _similarity(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_it_is_the_model_that_its_authors_describe(client: OpenAI) -> None:
    """The sentences and similarities of the usage examples of sentence-transformers."""
    weather, outside, stadium = _vectors(
        client,
        "The weather is lovely today.",
        "It's so sunny outside!",
        "He drove to the stadium.",
    )
    assert math.hypot(*weather) == pytest.approx(1)
    assert _similarity(weather, outside) == pytest.approx(0.6660, abs=0.02)
    assert _similarity(weather, stadium) == pytest.approx(0.1046, abs=0.02)
    assert _similarity(outside, stadium) == pytest.approx(0.1411, abs=0.02)


def test_a_vector_does_not_depend_on_its_company(client: OpenAI) -> None:
    texts = ["short", "rather a longer sentence than the others are", "", "word " * 700, "naïve café 漢字 😀"]
    together = _vectors(client, *texts)
    for text, vector in zip(texts, together, strict=True):
        assert _similarity(vector, *_vectors(client, text)) == pytest.approx(1, abs=1e-4)


def test_nothing_of_a_long_text_is_cut_off(client: OpenAI) -> None:
    """What is said at its very end counts as much as what is said at its beginning."""
    filler = "The quarterly report was filed on time. " * 60
    cats = "Cats sleep for most of the day. " * 60
    plain, with_cats, about_cats = _vectors(client, filler * 2, filler + cats, "sleeping cats")
    assert _similarity(with_cats, about_cats) > _similarity(plain, about_cats) + 0.2


def test_base64_and_floats_are_the_same(client: OpenAI) -> None:
    floats = client.embeddings.create(model=minilm.NAME, input="one", encoding_format="float")
    assert floats.data[0].embedding == pytest.approx(_vectors(client, "one")[0], abs=1e-6)
    assert len(floats.data[0].embedding) == minilm.DIMENSIONS
    assert floats.usage.total_tokens == 3


def test_models(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [minilm.NAME]
    with pytest.raises(NotFoundError, match="The model 'gpt-4o' does not exist"):
        client.embeddings.create(model="gpt-4o", input="one")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"input": [[1, 2]]}, "must be text"),
        ({"input": [1, 2]}, "must be text"),
        ({"input": []}, "not an empty one"),
        ({}, "not an empty one"),
        ({"input": ["a"] * 2049}, "2048 are the most"),
        ({"input": "a", "dimensions": 100}, "384 dimensions"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
    ],
)
def test_refusals(client: OpenAI, body: dict[str, object], words: str) -> None:
    with pytest.raises(BadRequestError, match=words):
        client.post("/embeddings", body={"model": minilm.NAME, **body}, cast_to=object)


def test_bodies_that_are_no_request(url: str) -> None:
    for body in (b"{", b"[]", b'{"model": "all-minilm-l6-v2", "input": "\\ud800"}'):
        answer = httpx2.post(f"{url}/embeddings", content=body)
        assert answer.status_code == 400
        assert answer.json()["error"]["type"] == "invalid_request_error"
    assert httpx2.post(f"{url}/embeddings", content=b" " * (33 * 2**20), timeout=30).status_code == 413


def test_a_query_goes_before_what_is_long(client: OpenAI) -> None:
    """Whole files are embedded meanwhile."""
    with ThreadPoolExecutor(1) as beside:
        long = beside.submit(_vectors, client, *["word " * 700] * 16)
        for _ in range(3):
            _vectors(client, "a short question")
        assert not long.done()
        assert len(long.result()) == 16


def test_a_client_that_goes_away_ends_its_request(client: OpenAI, url: str) -> None:
    body = {"model": minilm.NAME, "input": ["word " * 20_000] * 20}
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.post(f"{url}/embeddings", json=body, timeout=0.5)
    # The whole of it would take a minute.
    assert len(_vectors(client.with_options(timeout=15), *["word " * 700] * 4)) == 4


@pytest.fixture
async def embedder(url: str) -> AsyncIterator[Embedder]:
    settings = Settings(embeddings_url=url, embeddings_model=minilm.NAME)
    backends = Backends(settings)
    yield Embedder(settings, backends)
    await backends.close()


async def test_what_locum_makes_of_it(embedder: Embedder) -> None:
    question, answer, other = await embedder.embed(["How do I reset it?", "Press the reset button.", "Prices of fish"])
    assert _similarity(question, answer) > _similarity(question, other) + 0.2


def test_it_tells_nobody_and_leaves_nothing(tmp_path: Path) -> None:
    """onnxruntime would tell its maker, and keep a database of what is to be told."""
    script = "from app.embedded.minilm import *; m = MiniLM(find_files()); m.vectors(m.windows(['owl'])[0])"
    folders = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), str(tmp_path))
    subprocess.run([sys.executable, "-c", script], env={**os.environ, **folders}, check=True, timeout=60)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else find(name))
    with pytest.raises(CannotStart, match="set LOCUM_EMBEDDINGS_URL .* or install onnxruntime for"):
        minilm.find_files()
