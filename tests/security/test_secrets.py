"""Secrets stay where they were given: no log line, answer or message of the command line holds one, whatever fails."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.conftest import BETA
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Turn
from tests.running import Locum, free_port, run_locum, wait_for
from tests.stack import run_stack

#: One of each kind, without looks by which they could be told from other words.
BACKEND_KEY, OTHER_KEY, EMBEDDINGS_KEY = "correcthorse1", "correcthorse2", "correcthorse3"
DATABASE_PASSWORD, REDIS_PASSWORD = "battery@staple4", "batterystaple5"
SANDBOX_TOKEN, S3_SECRET = "tokenofsandbox6", "secretofbucket7"
SECRETS = [
    *(BACKEND_KEY, OTHER_KEY, EMBEDDINGS_KEY, DATABASE_PASSWORD, REDIS_PASSWORD, SANDBOX_TOKEN, S3_SECRET),
    DATABASE_PASSWORD.replace("@", "%40"),
]


def without_any(text: str, *more: str) -> None:
    """Asserts that none of the secrets is in `text`, and says which."""
    assert [secret for secret in (*SECRETS, *more) if secret in text] == []


@dataclass(frozen=True)
class Talkative:
    """A Locum that logs all it can, and whose parts are away or refuse it; `answers` are what clients were told."""

    locum: Locum
    logs: str
    answers: str


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talkative]:
    folder = tmp_path_factory.mktemp("talkative")
    with CompletionBackend() as backend, run_stack(tmp_path_factory.mktemp("stack")) as stack:
        echoed = {"error": {"message": f"Wrong key: {BACKEND_KEY}, given as Bearer {BACKEND_KEY}", "code": BACKEND_KEY}}
        backend.script("scripted-refusing", Turn(status=401, body=echoed), repeat=True)
        backend.script("scripted-echoing", Turn(status=400, body=echoed), repeat=True)
        nowhere = f"http://127.0.0.1:{free_port()}"
        settings = {
            "LOCUM_LOG_LEVEL": "debug",
            "LOCUM_DATABASE_URL": stack.database_url.replace("@", f":{DATABASE_PASSWORD.replace('@', '%40')}@", 1),
            "LOCUM_BACKEND_API_KEY": BACKEND_KEY,
            "LOCUM_BACKENDS": f'{{"other": {{"url": "{nowhere}/v1", "api_key": "{OTHER_KEY}"}}}}',
            "LOCUM_MODELS": '[{"match": "scripted-*"}, {"match": "other-*", "backend": "other"}]',
            "LOCUM_EMBEDDINGS_API_KEY": EMBEDDINGS_KEY,
            "LOCUM_SANDBOX_TOKEN": SANDBOX_TOKEN,
            "LOCUM_STORAGE_URL": "s3://bucket/prefix",
            "LOCUM_S3_ENDPOINT": nowhere,
            "LOCUM_S3_ACCESS_KEY_ID": "locum",
            "LOCUM_S3_SECRET_ACCESS_KEY": S3_SECRET,
        }
        with run_locum(stack, backend.url, folder, **settings) as locum:
            answers = _failures(locum)
        yield Talkative(locum, "".join(path.read_text() for path in folder.glob("*.log")), answers)


def _failures(locum: Locum) -> str:
    """Everything that can go wrong with the parts of `locum`, in the words that clients get."""
    headers = {**BETA, "Authorization": f"Bearer {locum.api_key}"}
    with httpx2.Client(base_url=locum.base_url, headers=headers, timeout=60) as http:
        answers = [http.get(f"{locum.origin}/readyz").text, http.get("/models").text]
        for model in ("scripted-refusing", "scripted-echoing", "other-model"):
            asked = {"model": model, "messages": [{"role": "user", "content": "Hi"}]}
            answers.append(http.post("/chat/completions", json=asked).text)
            answers.append(_ended_run(http, model))
        answers.append(http.post("/files", files={"file": ("a", b"x")}, data={"purpose": "user_data"}).text)
        answers.append(http.get("/threads/thread_%1b%5b31m%0aforged").text)
        strange = {"Authorization": f"Bearer {BACKEND_KEY}-of-a-client"}
        answers.append(http.get("/threads/thread_1", headers=strange).text.replace(f"{BACKEND_KEY[:4]}***", ""))
    return "\n".join(answers)


def _ended_run(http: httpx2.Client, model: str) -> str:
    assistant = http.post("/assistants", json={"model": model, "instructions": "x"}).json()["id"]
    run = http.post("/threads/runs", json={"assistant_id": assistant}).json()
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    wait_for(lambda: http.get(path).json()["status"] == "failed", "the run to fail", 60)
    return http.get(path).text + http.get(f"{path}/events").text


def test_logs(talkative: Talkative) -> None:
    assert "status=503" in talkative.logs
    without_any(talkative.logs, talkative.locum.api_key, talkative.locum.api_key.removeprefix("sk-locum-"))
    # Nor can a client write lines, or to the operator's terminal.
    assert "\x1b" not in talkative.logs
    assert "\nforged" not in talkative.logs


def test_answers(talkative: Talkative) -> None:
    without_any(talkative.answers, talkative.locum.api_key)
    assert "The model server refuses the key" in talkative.answers


@pytest.mark.parametrize(
    ("command", "port"),
    [("doctor", "1"), ("migrate", "1"), ("api", "1"), ("worker", "1"), ("doctor", "no-port"), ("migrate", "no-port")],
)
def test_commands_that_fail(command: str, port: str, tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LOCUM_")},
        "LOCUM_DATABASE_URL": f"postgresql://locum:{DATABASE_PASSWORD.replace('@', '%40')}@127.0.0.1:{port}/locum",
        "LOCUM_REDIS_URL": f"redis://:{REDIS_PASSWORD}@127.0.0.1:{port}/0",
        "LOCUM_BACKEND_API_KEY": BACKEND_KEY,
        "LOCUM_SANDBOX_TOKEN": SANDBOX_TOKEN,
        "LOCUM_S3_SECRET_ACCESS_KEY": S3_SECRET,
        "LOCUM_DATA_DIR": str(tmp_path),
        "LOCUM_LOG_LEVEL": "debug",
        "LOCUM_PORT": "0",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", command],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:  # an API or a worker waits for its servers: what it says until then is enough
        said, _ = process.communicate(timeout=3)
    except subprocess.TimeoutExpired:
        process.kill()
        said, _ = process.communicate()
    without_any(said)
