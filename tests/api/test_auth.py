"""Keys and the beta header: who gets in, and what the others are told."""

from typing import Any

import httpx2
import psycopg
import pytest
from openai import AuthenticationError, BadRequestError, OpenAI

from tests.running import Locum

V2 = {"OpenAI-Beta": "assistants=v2"}


@pytest.fixture
def bare(locum: Locum) -> Any:
    """Plain HTTP without any header of ours."""
    with httpx2.Client(base_url=locum.base_url) as opened:
        yield opened


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic abc", "sk-locum-abc"])
def test_without_a_key(bare: httpx2.Client, header: str | None) -> None:
    headers = V2 | ({} if header is None else {"Authorization": header})
    answer = bare.get("/assistants", headers=headers)
    assert answer.status_code == 401
    error = answer.json()["error"]
    assert error["message"].startswith("You didn't provide an API key.")
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", None, None)


@pytest.mark.parametrize("key", ["sk-locum-nobody", "x", "ü", "sk-locum-" + "x" * 4000])
def test_with_a_wrong_key(bare: httpx2.Client, key: str) -> None:
    headers = [(b"Authorization", f"Bearer {key}".encode("latin-1")), (b"OpenAI-Beta", b"assistants=v2")]
    answer = bare.get("/assistants", headers=headers)
    assert answer.status_code == 401
    error = answer.json()["error"]
    assert error["message"].startswith("Incorrect API key provided: ")
    assert key not in error["message"] or len(key) < 3
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", None, "invalid_api_key")


def test_the_client_knows_the_error(locum: Locum) -> None:
    with locum.client("sk-locum-nobody") as client, pytest.raises(AuthenticationError):
        client.beta.assistants.list()


def test_a_revoked_key_is_a_wrong_key(locum: Locum, database: psycopg.Connection) -> None:
    key = locum.new_project()
    with locum.client(key) as client:
        client.beta.assistants.list()
        database.execute("UPDATE api_keys SET revoked_at = now() WHERE sha256 = sha256(%s)", [key.encode()])
        with pytest.raises(AuthenticationError, match="Incorrect API key"):
            client.beta.assistants.list()


def test_the_key_is_looked_at_before_everything_else(bare: httpx2.Client) -> None:
    assert bare.post("/assistants", content=b"{").status_code == 401
    assert bare.get("/threads/undefined?limit=x").status_code == 401


@pytest.mark.parametrize("path", ["/assistants", "/threads/thread_1", "/threads/thread_1/runs/run_1/steps"])
@pytest.mark.parametrize("header", ["realtime=v1", "assistants=v3", "assistants", "v2", "assistants=v2.1"])
def test_an_unknown_version(locum: Locum, bare: httpx2.Client, path: str, header: str) -> None:
    headers = {"Authorization": f"Bearer {locum.api_key}", "OpenAI-Beta": header}
    answer = bare.get(path, headers=headers)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["message"].startswith("You must provide the 'OpenAI-Beta' header")
    assert (error["param"], error["code"]) == (None, "invalid_beta")


@pytest.mark.parametrize("header", [{}, {"OpenAI-Beta": ""}, {"OpenAI-Beta": ","}])
def test_a_request_that_names_no_version_is_for_v2(locum: Locum, bare: httpx2.Client, header: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {locum.api_key}", **header}
    made = bare.post("/assistants", json={"model": "m"}, headers=headers)
    assert made.status_code == 200, made.text
    assert made.json()["tool_resources"] == {}
    assert "file_ids" not in made.json()
    assert bare.post("/threads", headers=headers).status_code == 200
    missing = bare.get("/threads/thread_1/runs/run_1/steps", headers=headers)
    assert missing.json()["error"]["message"] == "No thread found with id 'thread_1'."


@pytest.mark.parametrize("header", ["assistants=v2", "realtime=v1, assistants=v2", "assistants=v1,assistants=v2"])
def test_the_beta_header_may_hold_more(locum: Locum, bare: httpx2.Client, header: str) -> None:
    headers = {"Authorization": f"bearer {locum.api_key}", "OpenAI-Beta": header}
    assert bare.get("/assistants", headers=headers).status_code == 200


def test_a_bad_body_is_told_after_the_beta_header(locum: Locum, bare: httpx2.Client) -> None:
    answer = bare.post(
        "/threads", content=b"{", headers={"Authorization": f"Bearer {locum.api_key}", "OpenAI-Beta": "x"}
    )
    assert answer.json()["error"]["code"] == "invalid_beta"


def test_models_need_no_beta_header(locum: Locum, bare: httpx2.Client) -> None:
    headers = {"Authorization": f"Bearer {locum.api_key}"}
    assert bare.get("/models", headers=headers).status_code == 200
    assert bare.get("/models").status_code == 401


def test_projects_do_not_share_assistants(client: OpenAI, other_client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="m")
    thread = other_client.beta.threads.create(messages=[{"role": "user", "content": "Hi"}])
    with pytest.raises(Exception, match=f"No assistant found with id '{assistant.id}'."):
        other_client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
    with pytest.raises(BadRequestError):
        other_client.beta.threads.runs.create(thread.id, assistant_id="undefined")
