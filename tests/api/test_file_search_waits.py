"""Runs wait for the files that they are to search: those of the assistant, of the thread, of messages."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import psycopg
import pytest
from openai import OpenAI

from tests.api.test_file_search import FOODS, SEARCH, answer, searches, upload
from tests.api.test_runs import expire, wait_until
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Turn
from tests.running import Locum

Script = Callable[..., None]
TOOLS: Any = [{"type": "file_search"}]
V1 = {"OpenAI-Beta": "assistants=v1"}


class Ingestion:
    """The ingestion workers, which do not work before they are told to."""

    def __init__(self, locum: Locum) -> None:
        self._locum = locum
        locum.stop("ingestion")

    def start(self) -> None:
        if "ingestion" not in self._locum.processes:
            self._locum.start("ingestion", "worker", "--queue", "ingestion")
            self._locum.wait_until_ready()


@pytest.fixture
def ingestion(locum: Locum) -> Iterator[Ingestion]:
    held = Ingestion(locum)
    yield held
    held.start()


class Makers:
    """The ways in which a run comes by a file to search; each gives what the run is asked for with."""

    def __init__(self, client: OpenAI, http: httpx2.Client, model: str) -> None:
        self._client = client
        self._http = http
        self._model = model
        self._message = {"role": "user", "content": "What does Ada like?"}

    def _file(self) -> str:
        (file_id,) = upload(self._client, foods=FOODS)
        return file_id

    def _assistant(self, **search: Any) -> str:
        resources: Any = {"file_search": search} if search else None
        return self._client.beta.assistants.create(model=self._model, tools=TOOLS, tool_resources=resources).id

    def _store(self) -> str:
        return self._client.vector_stores.create(name="facts", file_ids=[self._file()]).id

    def assistants_store(self) -> dict[str, Any]:
        return {"assistant_id": self._assistant(vector_store_ids=[self._store()])}

    def assistants_new_store(self) -> dict[str, Any]:
        return {"assistant_id": self._assistant(vector_stores=[{"file_ids": [self._file()]}])}

    def assistants_files(self) -> dict[str, Any]:
        body = {"model": self._model, "tools": [{"type": "retrieval"}], "file_ids": [self._file()]}
        return {"assistant_id": self._http.post("/assistants", json=body, headers=V1).json()["id"]}

    def threads_store(self) -> dict[str, Any]:
        resources = {"file_search": {"vector_store_ids": [self._store()]}}
        return {"assistant_id": self._assistant(), "thread": {"tool_resources": resources}}

    def threads_new_store(self) -> dict[str, Any]:
        resources = {"file_search": {"vector_stores": [{"file_ids": [self._file()]}]}}
        return {"assistant_id": self._assistant(), "thread": {"tool_resources": resources}}

    def runs_store(self) -> dict[str, Any]:
        resources = {"file_search": {"vector_store_ids": [self._store()]}}
        return {"assistant_id": self._assistant(), "tool_resources": resources}

    def attachment(self) -> dict[str, Any]:
        attached = {**self._message, "attachments": [{"file_id": self._file(), "tools": TOOLS}]}
        return {"assistant_id": self._assistant(), "thread": {"messages": [attached]}}

    def body(self, way: str) -> dict[str, Any]:
        """What to ask for; the thread has a message."""
        made: dict[str, Any] = getattr(self, way)()
        return {**made, "thread": {"messages": [self._message], **made.get("thread", {})}}


WAYS = [name for name in vars(Makers) if not name.startswith("_") and name != "body"]


def test_a_run_finds_what_was_attached_a_moment_before(
    ingestion: Ingestion, client: OpenAI, http: httpx2.Client, model: str, backend: CompletionBackend
) -> None:
    runs = {}
    for way in WAYS:
        backend.script(f"{model}-{way}", Turn(tool_calls=[SEARCH]), Turn(text="Pizza【0:0†x】."))
        runs[way] = client.beta.threads.create_and_run(**Makers(client, http, f"{model}-{way}").body(way))
    for run in runs.values():
        wait_until(client, run, "in_progress")
    assert [backend.requests(run.model) for run in runs.values()] == [[]] * len(WAYS)
    ingestion.start()
    for way, run in runs.items():
        wait_until(client, run, "completed", 30)
        (search,) = searches(client, run)
        assert [result.file_name for result in search.file_search.results or ()] == ["foods.txt"], way
        assert [request.violation for request in backend.received(run.model)] == [None, None]
        backend.forget(run.model)


def test_a_run_that_waits_can_be_cancelled_and_expires(
    ingestion: Ingestion, client: OpenAI, http: httpx2.Client, model: str, database: psycopg.Connection
) -> None:
    body = Makers(client, http, model).body("assistants_store")
    cancelled, expired = (client.beta.threads.create_and_run(**body) for _ in range(2))
    for run in (cancelled, expired):
        wait_until(client, run, "in_progress")
    client.beta.threads.runs.cancel(cancelled.id, thread_id=cancelled.thread_id)
    expire(database, expired)
    wait_until(client, cancelled, "cancelled")
    wait_until(client, expired, "expired")


def test_a_file_that_fails_holds_no_run(client: OpenAI, model: str, script: Script) -> None:
    script(Turn(tool_calls=[SEARCH]), Turn(text="Pizza."))
    bad = client.files.create(file=("a.txt", bytes(range(256)) * 4), purpose="assistants").id
    (good,) = upload(client, foods=FOODS)
    resources: Any = {"file_search": {"vector_stores": [{"file_ids": [bad, good]}]}}
    assistant = client.beta.assistants.create(model=model, tools=TOOLS, tool_resources=resources)
    thread: Any = {"messages": [{"role": "user", "content": "Well?"}]}
    run = client.beta.threads.create_and_run_poll(assistant_id=assistant.id, thread=thread)
    assert run.status == "completed", run.last_error
    (search,) = searches(client, run)
    assert [result.file_name for result in search.file_search.results or ()] == ["foods.txt"]
    assert answer(client, run).content[0].type == "text"


def test_files_that_come_after_the_run_do_not_hold_it(
    ingestion: Ingestion, client: OpenAI, http: httpx2.Client, model: str, script: Script, database: psycopg.Connection
) -> None:
    script(Turn(text="Here."))
    body = Makers(client, http, model).body("assistants_store")
    run = client.beta.threads.create_and_run(**body)
    wait_until(client, run, "in_progress")
    assistant: Any = client.beta.assistants.retrieve(body["assistant_id"])
    (store,) = assistant.tool_resources.file_search.vector_store_ids
    database.execute(
        "UPDATE vector_store_files SET created_at = now() + interval '1 minute' WHERE vector_store_id = %s", [store]
    )
    wait_until(client, run, "completed")
