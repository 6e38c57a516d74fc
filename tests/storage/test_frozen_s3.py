"""The whole Locum on an S3 that keeps its connections and says nothing: clients are told in time, work waits or says
what it could not keep, and whatever needs no file goes on.

All of it is seen in one silence, which costs its time once.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Final

import httpx2
import pytest
from openai import OpenAI
from openai.types.beta.threads import Run

from tests.api.test_code_interpreter import CODE, QUESTION, calls, code, logs
from tests.api.test_errors import error_of
from tests.api.test_runs import wait_until
from tests.conftest import BETA
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.s3 import S3Server
from tests.fakes.turns import Turn
from tests.faults.network import before
from tests.faults.relay import Relay
from tests.running import Locum, run_locum, wait_for
from tests.stack import run_stack

#: Of the API's connections to Postgres there are fewer than requests that wait for S3.
_POOL: Final = 2
_EACH: Final = 3
#: As docs/reliability.md has it.
_READ_SECONDS: Final = 16.0
_WRITE_SECONDS: Final = 40.0
#: For a busy machine.
_LATE_SECONDS: Final = 5.0
_TEXT: Final = b"Ada likes pizza. "
_MODEL: Final = "scripted-frozen-s3"

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Timed:
    """An answer, and how many seconds it took."""

    answer: httpx2.Response
    seconds: float


@dataclass(frozen=True)
class Silence:
    """What came of what was asked of Locum while S3 was silent."""

    uploads: list[Timed]
    parts: list[Timed]
    downloads: list[Timed]
    deletion: Timed
    #: Requests that need no file, meanwhile.
    others: list[Timed]
    run: Run
    store_id: str


@pytest.fixture(scope="module")
def network(s3: S3Server) -> Iterator[tuple[Relay, int]]:
    """A relay before S3, and its port."""
    with before(s3.endpoint) as relayed:
        yield relayed


@pytest.fixture(scope="module")
def locum(
    s3: S3Server,
    network: tuple[Relay, int],
    backend: CompletionBackend,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Locum]:
    """One that keeps its files in S3 behind the relay."""
    folder = tmp_path_factory.mktemp("on-frozen-s3")
    relayed = replace(s3, endpoint=f"http://127.0.0.1:{network[1]}").settings("frozen")
    settings = {f"LOCUM_{name.upper()}": value for name, value in relayed.items()}
    settings |= {"LOCUM_DATABASE_POOL_SIZE": str(_POOL), "LOCUM_INGESTION_TRIES": "1"}
    with run_stack(folder / "stack") as stack, run_locum(stack, backend.url, folder, **settings) as running:
        running.start_sandbox()
        yield running


@pytest.fixture(scope="module")
def http(locum: Locum) -> Iterator[httpx2.Client]:
    """Plain HTTP below `/v1`, authenticated, with the beta header."""
    headers = {"Authorization": f"Bearer {locum.api_key}", **BETA}
    with httpx2.Client(base_url=locum.base_url, headers=headers, timeout=90) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(locum: Locum) -> Iterator[OpenAI]:
    """The official client."""
    with locum.client() as opened:
        yield opened


@pytest.fixture(scope="module")
def silence(
    locum: Locum, network: tuple[Relay, int], http: httpx2.Client, client: OpenAI, backend: CompletionBackend
) -> Silence:
    """All of it, in one silence of S3."""
    computing = code("open('/mnt/data/kept.txt', 'w').write('x')\nprint('ran')")
    backend.script(_MODEL, Turn(tool_calls=[computing]), Turn(text="Done."))
    assistant = client.beta.assistants.create(model=_MODEL, tools=[CODE])
    kept, other, text = (
        client.files.create(file=(f"{name}.txt", _TEXT), purpose="batch" if name == "kept" else "assistants").id
        for name in ("kept", "other", "text")
    )
    upload = http.post("/uploads", json={"filename": "a", "bytes": 9, "mime_type": "text/plain", "purpose": "batch"})
    part = f"/uploads/{upload.json()['id']}/parts"
    file: Any = {"file": ("new.txt", _TEXT)}
    with ThreadPoolExecutor(4 * _EACH) as pool:

        def ask(method: str, path: str, **options: Any) -> Future[Timed]:
            return pool.submit(_timed, lambda: http.request(method, path, **options))

        network[0].hold()
        try:
            thread: Any = {"messages": [QUESTION]}
            run = client.beta.threads.create_and_run(assistant_id=assistant.id, thread=thread)
            store = client.vector_stores.create(name="waiting", file_ids=[text])
            uploads = [ask("POST", "/files", data={"purpose": "assistants"}, files=file) for _ in range(_EACH)]
            parts = [ask("POST", part, files={"data": _TEXT[:9]}) for _ in range(_EACH)]
            downloads = [ask("GET", f"/files/{kept}/content") for _ in range(_EACH)]
            deletion = ask("DELETE", f"/files/{other}")
            others = []
            while not all(one.done() for one in (*uploads, *parts, *downloads, deletion)):
                others.append(_timed(lambda: http.get("/files")))
                time.sleep(0.2)
            wait_for(lambda: b"ingestion_waits_for_storage" in _log(locum, "ingestion"), "ingestion to wait", 60)
            wait_until(client, run, "completed", 90)
        finally:
            network[0].let_go()
    results = [[one.result() for one in asked] for asked in (uploads, parts, downloads)]
    return Silence(results[0], results[1], results[2], deletion.result(), others, run, store.id)


def _timed(request: Callable[[], httpx2.Response]) -> Timed:
    began = time.monotonic()
    answer = request()
    return Timed(answer, time.monotonic() - began)


def _log(locum: Locum, name: str) -> bytes:
    return (locum.logs / f"{name}.log").read_bytes()


@pytest.mark.parametrize(
    ("asked", "most"), [("uploads", _WRITE_SECONDS), ("parts", _WRITE_SECONDS), ("downloads", _READ_SECONDS)]
)
def test_clients_are_told_in_time_that_files_cannot_be_had(silence: Silence, asked: str, most: float) -> None:
    for timed in getattr(silence, asked):
        assert "file storage" in error_of(timed.answer, 503)["message"]
        assert timed.answer.headers["retry-after"]
        assert 5 < timed.seconds < most + _LATE_SECONDS


def test_what_is_deleted_is_deleted(silence: Silence) -> None:
    """Its bytes are left to the sweep."""
    assert silence.deletion.answer.json()["deleted"] is True
    assert silence.deletion.seconds < _READ_SECONDS + _LATE_SECONDS


def test_what_needs_no_file_goes_on(silence: Silence) -> None:
    """More requests wait for S3 than there are connections to Postgres: none of them holds one."""
    assert len(silence.others) > _EACH
    assert {timed.answer.status_code for timed in silence.others} == {200}
    assert max(timed.seconds for timed in silence.others) < _LATE_SECONDS


def test_code_says_what_could_not_be_kept_and_its_run_goes_on(silence: Silence, client: OpenAI) -> None:
    run = client.beta.threads.runs.retrieve(silence.run.id, thread_id=silence.run.thread_id)
    assert run.status == "completed", run.last_error
    (call,) = calls(client, run)
    assert logs(call).startswith("ran\n")
    assert "kept.txt could not be kept. The file storage of this server cannot be used right now." in logs(call)


def test_ingestion_waits_and_goes_on(silence: Silence, client: OpenAI) -> None:
    """Though the file has one try: that the storage was away is no fault of its own."""
    wait_for(lambda: client.vector_stores.retrieve(silence.store_id).file_counts.completed == 1, "the file", 30)


def test_everything_works_again(silence: Silence, client: OpenAI) -> None:
    file = client.files.create(file=("again.txt", _TEXT), purpose="batch")
    assert client.files.content(file.id).read() == _TEXT
