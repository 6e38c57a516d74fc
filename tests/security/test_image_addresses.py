"""A model server is not sent into the operator's network for an image."""

import httpx2
import psycopg
import pytest
from openai import OpenAI

from app.image_addresses import is_allowed, is_public
from app.main import create_app
from tests.api.test_errors import error_of, settings_of, started
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Turn
from tests.running import Locum

PRIVATE = [
    "http://localhost/a.png",
    "http://LOCALHOST:8080/a.png",
    "http://a.localhost/",
    "http://metadata.google.internal/x",
    "http://nas.local/a.png",
    "http://nas/a.png",
    "http://127.0.0.1/a.png",
    "https://127.1/a.png",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://10.0.0.1/",
    "http://172.16.5.4/",
    "http://192.168.1.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.64.0.1/",
    "http://0.0.0.0/",
    "http://224.0.0.1/",
    "http://[::1]/",
    "http://[::]/",
    "http://[fe80::1%25eth0]/",
    "http://[fd00::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:a00:1]/",
    "http://[64:ff9b::a00:1]/",
    "http://[2002:a00:1::]/",
    "http://127.0.0.1./a.png",
    "http://%31%32%37.0.0.1/",
    "http://１２７.0.0.1/",
    "http://127。0。0。1/",
    "http://public.example@127.0.0.1/",
    "http://127.0.0.1\\@public.example/",
    "http:///a.png",
    "http://[::1",
]
PUBLIC = [
    "https://example.com/a.png",
    "http://8.8.8.8/a.png",
    "https://[2606:4700::6810:84e5]/a.png",
    "https://user@example.com:8443/a.png?x=127.0.0.1",
    "https://bücher.example/a.png",
    "https://localhost.example/a.png",
]


@pytest.mark.parametrize("url", PRIVATE)
def test_addresses_of_private_networks(url: str) -> None:
    assert not is_public(url)
    assert is_allowed(url, "any")


@pytest.mark.parametrize("url", PUBLIC)
def test_addresses_of_the_internet(url: str) -> None:
    assert is_public(url)
    assert not is_allowed(url, "none")


def test_an_image_as_data_is_no_address() -> None:
    assert is_allowed("data:image/png;base64,AA==", "none")


def _message(url: str) -> dict[str, object]:
    return {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}


@pytest.mark.parametrize("path", ["/threads", "/threads/runs", "/threads/{thread}/messages", "/threads/{thread}/runs"])
def test_messages_with_such_an_address_are_refused(http: httpx2.Client, client: OpenAI, path: str) -> None:
    message = _message("http://169.254.169.254/latest")
    thread = client.beta.threads.create()
    assistant = client.beta.assistants.create(model="echo")
    body = {
        "/threads": {"messages": [message]},
        "/threads/runs": {"assistant_id": assistant.id, "thread": {"messages": [message]}},
        "/threads/{thread}/messages": message,
        "/threads/{thread}/runs": {"assistant_id": assistant.id, "additional_messages": [message]},
    }[path]
    error = error_of(http.post(path.format(thread=thread.id), json=body), 400)
    assert error["code"] == "invalid_image_url"
    assert error["param"] == "content[0].image_url.url"
    assert client.beta.threads.messages.list(thread.id).data == []


def test_chat_completions_with_such_an_address_are_refused(http: httpx2.Client) -> None:
    body = {"model": "echo", "messages": [_message("http://127.0.0.1/"), {"role": "user", "content": "Hello"}]}
    error = error_of(http.post("/chat/completions", json=body), 400)
    assert error["code"] == "invalid_image_url"


async def test_an_operator_may_allow_them(locum: Locum) -> None:
    async with started(create_app(settings_of(locum, image_urls="any"))) as client:
        client.headers["Authorization"] = f"Bearer {locum.api_key}"
        assert (await client.post("/threads", json={"messages": [_message("http://nas/a.png")]})).status_code == 200


def test_a_message_that_is_there_already_is_told_without_it(
    client: OpenAI, database: psycopg.Connection, backend: CompletionBackend, model: str
) -> None:
    backend.script(model, Turn(text="Seen."))
    assistant = client.beta.assistants.create(model=model)
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Look."}])
    database.execute(
        "UPDATE messages SET content = content || %s::jsonb WHERE thread_id = %s",
        ['[{"type": "image_url", "image_url": {"url": "http://10.0.0.1/x", "detail": "auto"}}]', thread.id],
    )
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "completed"
    assert "10.0.0.1" not in str(backend.received(model)[-1].body)
