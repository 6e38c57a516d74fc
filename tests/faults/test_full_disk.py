"""A disk that is full below Postgres and Redis: clients are told, no run is lost, and nothing needs a restart."""

import contextlib
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from openai import OpenAI
from openai.types.beta.threads import Run

from tests.api.test_errors import error_of
from tests.api.test_runs import start, wait_until
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Turn
from tests.faults.disk import Disk
from tests.running import Locum, run_locum, wait_for
from tests.stack import run_stack

Script = Callable[..., None]

#: Postgres takes a quarter of it, and has nothing on it that would make room by itself.
_MEGABYTES = 256
#: No page that is there has room for it, and it cannot be made smaller.
_LONG = secrets.token_hex(100_000)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Disk, Path]]:
    """A small disk, and the folder that it is."""
    folder = tmp_path_factory.mktemp("small") / "disk"
    with contextlib.closing(Disk(folder, _MEGABYTES)) as small:
        if not small.is_mounted:
            pytest.skip("no disk can be mounted")
        yield small, folder


@pytest.fixture(scope="module")
def locum(
    disk: tuple[Disk, Path], backend: CompletionBackend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Locum]:
    """One whose Postgres and Redis are on that disk."""
    with (
        run_stack(disk[1] / "stack") as stack,
        run_locum(stack, backend.url, tmp_path_factory.mktemp("on-small")) as running,
    ):
        yield running


def test_what_cannot_be_stored_is_refused_and_runs_wait_for_room(
    disk: tuple[Disk, Path],
    locum: Locum,
    client: OpenAI,
    http: httpx2.Client,
    model: str,
    script: Script,
    backend: CompletionBackend,
) -> None:
    script(Turn(text=["It ", _LONG], hang_after=1), Turn(text=_LONG), repeat=True)
    run = start(client, model)
    thread = client.beta.threads.create()
    backend.wait_until_hanging(model)
    body = {"role": "user", "content": _LONG}
    another = {"assistant_id": run.assistant_id, "thread": {"messages": [{"role": "user", "content": "Hi"}]}}
    with disk[0].full():
        wait_for(lambda: http.post(f"/threads/{thread.id}/messages", json=body).status_code == 503, "a refusal")
        answer = http.post(f"/threads/{thread.id}/messages", json=body)
        assert "database" in error_of(answer, 503)["message"]
        assert answer.headers["retry-after"] == "1"
        backend.release(model)
        wait_for(lambda: b"run_abandoned" in (locum.logs / "worker.log").read_bytes(), "the worker to give up")
        assert http.get(f"/threads/{thread.id}").status_code == 200
        assert client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id).status in ("queued", "in_progress")
        # So little finds room in what the tables have; if not, that is told as well.
        asked = [http.post("/threads/runs", json=another) for _ in range(3)]
        assert {answer.status_code for answer in asked} <= {200, 503}
    accepted = [Run.model_validate(answer.json()) for answer in asked if answer.status_code == 200]
    for waiting in (run, *accepted):
        wait_until(client, waiting, "completed", 30)
    assert [message.role for message in client.beta.threads.messages.list(run.thread_id)] == ["assistant", "user"]
    assert http.post(f"/threads/{thread.id}/messages", json=body).status_code == 200
