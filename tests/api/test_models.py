"""The list of models."""

import httpx2
import pytest
from openai import NotFoundError, OpenAI

from tests.fakes.completion_backend import CompletionBackend


def test_list(client: OpenAI, backend: CompletionBackend) -> None:
    listed = {model.id: model for model in client.models.list()}
    assert set(backend.models) <= set(listed)
    assert not any("*" in name for name in listed)
    assert {model.object for model in listed.values()} == {"model"}


def test_retrieve(client: OpenAI) -> None:
    assert client.models.retrieve("echo").id == "echo"
    assert client.models.retrieve("scripted-anything").id == "scripted-anything"  # a route's glob fits


@pytest.mark.parametrize("name", ["gpt-none", "org/none"])
def test_retrieve_unknown(client: OpenAI, name: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        client.models.retrieve(name)
    assert caught.value.body == {
        "message": f"The model '{name}' does not exist",
        "type": "invalid_request_error",
        "param": "model",
        "code": "model_not_found",
    }


def test_no_beta_header_but_a_key(http: httpx2.Client) -> None:
    origin = str(http.base_url).rstrip("/")
    key = http.headers["authorization"]
    assert httpx2.get(f"{origin}/models", headers={"Authorization": key}).status_code == 200
    for path in ("models", "models/echo"):
        assert httpx2.get(f"{origin}/{path}").status_code == 401
