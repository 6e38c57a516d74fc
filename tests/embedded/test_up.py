"""`locum up` from outside: it serves, keeps its parts going, survives its own death, and ends without a trace."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from app.embedded import identity
from app.embedded.first_key import FirstKey
from app.embedded.welcome import Welcome
from app.settings import Settings
from tests.embedded.launched import Launched, locum
from tests.examples import notebooks
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Turn
from tests.running import wait_for


@pytest.fixture(scope="module")
def up(backend: CompletionBackend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    """A running one, shared; tests that end it start it again."""
    launched = Launched(
        tmp_path_factory.mktemp("up") / "data",
        LOCUM_BACKEND_URL=backend.url,
        LOCUM_MODELS='[{"match": "scripted-*"}]',
        LOCUM_RUN_LEASE_SECONDS="3",
    )
    try:
        launched.wait_until_ready()
        yield launched
    finally:
        launched.end()


def _answer(up: Launched) -> str:
    """What an assistant on it says: the whole way from the client to the backend."""
    with OpenAI(base_url=up.base_url, api_key=up.api_key, max_retries=0, timeout=30) as client:
        assistant = client.beta.assistants.create(model="echo")
        run = client.beta.threads.create_and_run_poll(
            assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "hello"}]}
        )
        assert run.status == "completed", run.last_error
        content = client.beta.threads.messages.list(run.thread_id).data[0].content[0]
        assert content.type == "text"
        return content.text.value


def test_it_serves_and_says_how(up: Launched, backend: CompletionBackend) -> None:
    assert _answer(up) == "You said: hello"
    for part in (up.base_url, str(up.folder.api_key), backend.url, str(up.data_dir), "from openai import OpenAI"):
        assert part in up.said
    # It goes to a file here, and may be kept.
    assert up.api_key not in up.said
    assert httpx2.get(f"http://127.0.0.1:{up.port}/readyz").json()["status"] == "ready"


@pytest.mark.parametrize(
    ("is_new", "to_terminal", "shown"), [(True, True, True), (False, True, False), (True, False, False)]
)
def test_a_key_is_shown_once_and_to_a_terminal_alone(
    tmp_path: Path, is_new: bool, to_terminal: bool, shown: bool
) -> None:
    kept = FirstKey("sk-locum-secret", tmp_path / "api_key", is_new)
    text = str(Welcome(Settings(data_dir=tmp_path), kept, to_terminal))
    assert ("sk-locum-secret" in text) == shown
    assert str(kept.file) in text
    given = str(Welcome(Settings(data_dir=tmp_path), FirstKey("sk-locum-secret", None, is_new=False), to_terminal))
    assert "sk-locum-secret" not in given


@pytest.mark.parametrize("name", ["without_assistants_api", "with_assistants_api"])
async def test_the_notebooks_of_the_examples_run(up: Launched, name: str) -> None:
    said = await notebooks.execute(name, OPENAI_BASE_URL=up.base_url, OPENAI_API_KEY=up.api_key, MODEL="echo")
    assert said[notebooks.ASKING] == [
        "You said: My Kestrel shows E07. What can I do?\n",
        "You said: And where is my order B-17?\n",
        "You said: How long will its battery be under warranty?\n",
        "You said: Which bicycle was my first question about?\n",
    ]


def test_what_it_keeps_is_closed_to_others(up: Launched) -> None:
    assert stat.S_IMODE(up.folder.api_key.stat().st_mode) == 0o600
    assert stat.S_IMODE(up.data_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE(up.folder.sockets.stat().st_mode) == 0o700


def test_doctor_finds_all_well(up: Launched) -> None:
    found = locum("doctor", "--data-dir", str(up.data_dir), cwd=up.data_dir.parent)
    # The backend of a setting is not told to others: the doctor has the operator's own environment.
    assert "WRONG  backend" in found.stdout
    assert found.returncode == 1
    url = next(line.split()[-1] for line in up.said.splitlines() if line.startswith("  Backend"))
    found = locum("doctor", "--data-dir", str(up.data_dir), cwd=up.data_dir.parent, LOCUM_BACKEND_URL=url)
    assert found.returncode == 0, found.stdout + found.stderr
    assert [line.split()[0] for line in found.stdout.splitlines()] == ["ok"] * 13


def test_a_second_start_on_the_folder_is_refused(up: Launched) -> None:
    second = locum("up", "--data-dir", str(up.data_dir), "--port", "0", cwd=up.data_dir.parent)
    assert second.returncode == 1
    assert second.stdout == ""
    assert second.stderr == f"locum: the data folder {up.data_dir} is in use by process {up.process.pid}\n"


def test_a_taken_port_is_refused_before_anything_starts(up: Launched, tmp_path: Path) -> None:
    second = locum("up", "--data-dir", str(tmp_path / "data"), "--port", str(up.port), cwd=tmp_path)
    assert second.returncode == 1
    assert second.stderr.startswith(f"locum: port {up.port} on 127.0.0.1 is taken")
    assert second.stderr.count("\n") == 1
    assert not (tmp_path / "data" / "postgres").exists()


@pytest.mark.parametrize(
    "part", ["app.cli api", "locum.runs", "locum.ingestion", "local_embeddings", "bin/postgres -D", "valkey-server"]
)
def test_a_part_that_dies_is_started_again(up: Launched, part: str) -> None:
    (killed,) = up.pids(part)
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: [pid for pid in up.pids(part) if pid != killed], f"{part} to be started again")

    def serves() -> bool:
        try:
            return httpx2.get(f"http://127.0.0.1:{up.port}/readyz", timeout=5).status_code == 200
        except httpx2.TransportError:
            return False

    wait_for(serves, "Locum to be ready again", 30)
    assert _answer(up) == "You said: hello"
    assert "is started again" in up.said


def test_killed_it_takes_its_children_along_and_leaves_what_it_keeps(up: Launched) -> None:
    with up.connect() as connection:
        connection.execute("CREATE TABLE kept (value int)")
        connection.execute("INSERT INTO kept VALUES (7)")
    key = up.api_key
    assert up.pids()
    up.process.kill()
    up.process.wait()
    wait_for(lambda: not up.pids(), "its children to end", 20)
    up.launch()
    up.wait_until_ready()
    with up.connect() as connection:
        assert connection.execute("SELECT value FROM kept").fetchall() == [(7,)]
        connection.execute("DROP TABLE kept")
    assert up.api_key == key
    assert _answer(up) == "You said: hello"


def test_killed_under_load_it_finishes_every_run_when_it_is_started_again(
    up: Launched, backend: CompletionBackend, model: str
) -> None:
    words = ["One ", "two ", "three ", "four."]
    backend.script(model, Turn(text=words, delay=0.3), repeat=True)
    with OpenAI(base_url=up.base_url, api_key=up.api_key, max_retries=0, timeout=30) as client:
        assistant = client.beta.assistants.create(model=model)
        thread: Any = {"messages": [{"role": "user", "content": "Count."}]}
        runs = [client.beta.threads.create_and_run(assistant_id=assistant.id, thread=thread) for _ in range(12)]
        wait_for(lambda: len(backend.received(model)) >= 6, "half of them to be under way")
        up.process.kill()
        up.process.wait()
        # At once: its children may still be about to end.
        up.launch()
        up.wait_until_ready()
        for run in runs:
            assert client.beta.threads.runs.poll(run.id, thread_id=run.thread_id).status == "completed"
            said = [message.content[0] for message in client.beta.threads.messages.list(run.thread_id, order="asc")]
            assert [part.text.value for part in said if part.type == "text"] == ["Count.", "".join(words)]


def test_asked_to_it_ends_every_child(up: Launched) -> None:
    assert len(up.pids()) > 4
    assert up.stop(signal.SIGTERM) == 0
    assert up.pids() == []
    assert list(up.folder.sockets.iterdir()) == []
    up.launch()
    up.wait_until_ready()


def test_a_start_can_be_stopped(tmp_path: Path) -> None:
    launched = Launched(tmp_path / "data", LOCUM_BACKEND_URL="http://127.0.0.1:1/v1")
    try:
        wait_for(lambda: launched.folder.postgres.with_name("postgres.new").exists(), "the start to begin", 20)
        assert launched.stop(signal.SIGINT) == 0
        assert launched.pids() == []
    finally:
        launched.end()
    assert "Traceback" not in launched.said


def test_it_brings_embeddings(up: Launched) -> None:
    """Under whatever name applications ask for them."""
    assert "Embeddings  all-minilm-l6-v2, here on this machine" in up.said
    with OpenAI(base_url=up.base_url, api_key=up.api_key, max_retries=0, timeout=30) as client:
        answer = client.embeddings.create(model="text-embedding-ada-002", input=["one", "two"])
    assert answer.model == "all-minilm-l6-v2"
    assert [len(item.embedding) for item in answer.data] == [384, 384]


def test_a_backend_that_does_not_answer_is_a_warning_and_embeddings_may_be_of_another_server(
    backend: CompletionBackend, tmp_path: Path
) -> None:
    settings = {"LOCUM_EMBEDDINGS_URL": backend.url, "LOCUM_EMBEDDINGS_MODEL": "theirs"}
    launched = Launched(tmp_path / "data", LOCUM_BACKEND_URL="http://127.0.0.1:1/v1", **settings)
    try:
        launched.wait_until_ready()
        assert "the backend 'default' does not answer: " in launched.said
        ready = httpx2.get(f"http://127.0.0.1:{launched.port}/readyz")
        assert ready.status_code == 503
        assert ready.json()["checks"]["backend"]["ok"] is False
        assert f"Embeddings  theirs of {backend.url}" in launched.said
        assert launched.pids("local_embeddings") == []
        found = locum("doctor", "--data-dir", str(launched.data_dir), cwd=tmp_path, **settings)
        assert "ok     embeddings   theirs, 64 dimensions" in found.stdout
        # As Ctrl-C does.
        assert launched.stop(signal.SIGINT) == 0
        assert launched.pids() == []
    finally:
        launched.end()


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as an ordinary user already")
def test_as_an_ordinary_user_of_a_user_namespace(backend: CompletionBackend, tmp_path: Path) -> None:
    """To all programs in it, an ordinary user; and one that may read what this user may."""
    if identity.of_postgres() != "mapped":
        pytest.skip("user namespaces are closed here")
    prefix = identity.wrapped([], identity="mapped")
    launched = Launched(tmp_path / "data", prefix=prefix, LOCUM_BACKEND_URL=backend.url)
    try:
        launched.wait_until_ready()
        assert _answer(launched) == "You said: hello"
        assert launched.stop() == 0
        assert launched.pids() == []
    finally:
        launched.end()


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as an ordinary user already")
def test_as_another_user(backend: CompletionBackend) -> None:
    nobody = 65534
    setpriv = ["/usr/bin/setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups"]
    try:
        subprocess.run([sys.executable, "-c", ""], user=nobody, group=nobody, extra_groups=[], check=True)
    except PermissionError:
        pytest.skip(f"uid {nobody} may not run {sys.executable}: it lies in a folder that is closed to others")
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, nobody, nobody)
        launched = Launched(Path(folder) / "data", prefix=setpriv, LOCUM_BACKEND_URL=backend.url)
        try:
            launched.wait_until_ready()
            assert launched.folder.postgres.stat().st_uid == nobody
            assert _answer(launched) == "You said: hello"
        finally:
            launched.end()
