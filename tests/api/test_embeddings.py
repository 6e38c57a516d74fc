"""Embeddings, passed through."""

import pytest
from openai import OpenAI

from tests.fakes.completion_backend import CompletionBackend, embedding
from tests.running import Locum


def test_embeddings(locum: Locum, backend: CompletionBackend, model: str) -> None:
    """The client asks for base64 and decodes it, unless it is to be strict about types."""
    with OpenAI(base_url=locum.base_url, api_key=locum.api_key) as client:
        answer = client.embeddings.create(model=model, input=["one", "two"])
    assert [item.embedding for item in answer.data] == [
        pytest.approx(embedding("one"), abs=1e-6),
        pytest.approx(embedding("two"), abs=1e-6),
    ]
    assert backend.requests(model)[0]["encoding_format"] == "base64"


def test_floats_and_dimensions(client: OpenAI, model: str) -> None:
    answer = client.embeddings.create(model=model, input="one", encoding_format="float", dimensions=8)
    assert answer.data[0].embedding == pytest.approx(embedding("one", 8))
    assert answer.model == model
