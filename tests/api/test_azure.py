"""Clients made for Azure OpenAI."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from openai import AuthenticationError, AzureOpenAI

from app.settings import Settings
from tests.fakes.completion_backend import CompletionBackend, embedding
from tests.fakes.turns import Turn
from tests.running import Locum


@pytest.fixture
def azure(locum: Locum) -> Iterator[AzureOpenAI]:
    """The official client for Azure."""
    with AzureOpenAI(
        azure_endpoint=locum.origin,
        api_key=locum.api_key,
        api_version="2024-05-01-preview",
        max_retries=0,
        _strict_response_validation=True,
    ) as opened:
        yield opened


def test_a_run_polled_and_streamed(azure: AzureOpenAI, model: str, script: Callable[..., None]) -> None:
    script(Turn(text=("Good ", "day!")), Turn(text=("Again!",)))
    assistant = azure.beta.assistants.create(model=model)
    assert assistant.id in [one.id for one in azure.beta.assistants.list(limit=100)]
    thread = azure.beta.threads.create(messages=[{"role": "user", "content": "Hi"}])
    run = azure.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "completed"
    azure.beta.threads.messages.create(thread.id, role="user", content="Once more")
    with azure.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        assert "".join(stream.text_deltas) == "Again!"
    texts = [message.to_dict()["content"] for message in azure.beta.threads.messages.list(thread.id)]
    assert len(texts) == 4


def test_files(azure: AzureOpenAI) -> None:
    file = azure.files.create(file=("a.txt", b"Text."), purpose="assistants")
    assert azure.files.retrieve(file.id) == file
    assert file.id in [one.id for one in azure.files.list()]
    assert azure.files.delete(file.id).deleted


def test_chat_completions(azure: AzureOpenAI, model: str, script: Callable[..., None]) -> None:
    script(Turn(text=("Good day!",)), Turn(text=("Good ", "day!")))
    asked: Any = {"model": model, "messages": [{"role": "user", "content": "Hi"}]}
    assert azure.chat.completions.create(**asked).choices[0].message.content == "Good day!"
    chunks = azure.chat.completions.create(**asked, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Good day!"


def test_embeddings(locum: Locum, model: str) -> None:
    """The client decodes base64, unless it is to be strict about types."""
    with AzureOpenAI(azure_endpoint=locum.origin, api_key=locum.api_key, api_version="2024-10-21") as client:
        answer = client.embeddings.create(model=model, input="one")
    assert answer.data[0].embedding == pytest.approx(embedding("one"), abs=1e-6)


def test_the_deployment_is_the_model_where_the_body_names_none(
    locum: Locum, backend: CompletionBackend, model: str, script: Callable[..., None]
) -> None:
    script(Turn(text=("A",)), Turn(text=("B",)))
    headers = {"api-key": locum.api_key}
    path = f"{locum.origin}/openai/deployments/{model}/chat/completions?api-version=2024-10-21"
    messages = [{"role": "user", "content": "Hi"}]
    for body in ({"messages": messages}, {"messages": messages, "model": model}):
        answer = httpx2.post(path, json=body, headers=headers)
        assert answer.status_code == 200, answer.text
    assert [request["model"] for request in backend.requests(model)] == [model, model]
    other = httpx2.post(
        f"{locum.origin}/openai/deployments/other/chat/completions",
        json={"messages": messages, "model": "unknown-model"},
        headers=headers,
    )
    assert "other" not in other.text


@pytest.mark.parametrize("prefix", ["/openai", "/openai/v1"])
def test_plain_http(locum: Locum, prefix: str) -> None:
    with httpx2.Client(base_url=locum.origin + prefix, headers={"api-key": locum.api_key}) as http:
        made = http.post("/assistants?api-version=preview", json={"model": "m"})
        assert made.status_code == 200
        assert http.get(f"/assistants/{made.json()['id']}").json() == made.json()
        assert http.get("/models").status_code == 200
        old = http.get("/assistants?limit=1", headers={"OpenAI-Beta": "assistants=v1"}).json()["data"]
        assert old[0]["file_ids"] == []
        missing = http.get("/nothing")
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "unknown_url")


def test_a_file_may_be_as_large_as_below_v1(locum: Locum) -> None:
    large = b"x" * (Settings().max_body_bytes + 1)
    answer = httpx2.post(
        f"{locum.origin}/openai/files",
        files={"file": ("a.txt", large)},
        data={"purpose": "assistants"},
        headers={"api-key": locum.api_key},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["bytes"] == len(large)


def test_a_wrong_key(locum: Locum) -> None:
    with (
        AzureOpenAI(azure_endpoint=locum.origin, api_key="sk-locum-no", api_version="1", max_retries=0) as client,
        pytest.raises(AuthenticationError, match="Incorrect API key"),
    ):
        client.beta.assistants.list()
