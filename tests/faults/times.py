"""How long things take that have a limit: measured on a Locum with the settings it comes with, under load."""

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from openai import OpenAI
from openai.types.beta.threads import Run

from app.settings import Settings
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Call, Turn
from tests.running import IMPATIENT, Locum, run_locum, wait_for
from tests.stack import run_stack

_LOAD = 40
_CANCELS = 100
_AT_ONCE = 8
_THREAD: Any = {"messages": [{"role": "user", "content": "Hi"}]}
#: As they are where nobody sets them.
_DEFAULTS = {
    f"LOCUM_{name.upper()}": str(Settings.model_fields[name].default)
    for name in ("run_lease_seconds", "sweep_seconds", "ingestion_lease_seconds", "worker_concurrency")
}


class Figure(NamedTuple):
    """What was measured, in seconds, and the limit."""

    what: str
    seconds: float
    limit: float

    @property
    def is_kept(self) -> bool:
        """Whether it is within the limit."""
        return self.seconds <= self.limit


def measure(folder: Path, backend: CompletionBackend) -> Iterator[Figure]:
    """Measures all of them, one after the other."""
    for name in ("stack", "locum"):
        (folder / name).mkdir(parents=True)
    assert _DEFAULTS.keys() <= IMPATIENT.keys()
    with (
        run_stack(folder / "stack") as stack,
        run_locum(stack, backend.url, folder / "locum", LOCUM_BACKEND_IDLE_TIMEOUT="60", **_DEFAULTS) as locum,
        OpenAI(base_url=locum.base_url, api_key=locum.api_key, max_retries=0, timeout=30) as client,
    ):
        yield _cancel(client, backend)
        yield _expiry(client, backend, locum)
        yield from _beside_ingestion(client, backend)
        yield _recovery(client, backend, locum)


def _begin(client: OpenAI, model: str, **options: Any) -> Run:
    assistant = client.beta.assistants.create(model=model, **options)
    return client.beta.threads.create_and_run(assistant_id=assistant.id, thread=_THREAD)


def _cancel(client: OpenAI, backend: CompletionBackend) -> Figure:
    """From the request to the status, while other runs write."""
    backend.script("scripted-load", Turn(text=["word "] * 2000, delay=0.05), repeat=True)
    load = [_begin(client, "scripted-load") for _ in range(_LOAD)]

    def cancelled(_: int) -> float:
        run = _begin(client, "scripted-load")
        poll = client.beta.threads.runs.retrieve
        wait_for(lambda: poll(run.id, thread_id=run.thread_id).status == "in_progress", "a run", 30)
        begun = time.monotonic()
        client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
        wait_for(lambda: poll(run.id, thread_id=run.thread_id).status == "cancelled", "a cancel", 30)
        return time.monotonic() - begun

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        took = sorted(pool.map(cancelled, range(_CANCELS)))
    for run in load:
        client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
    return Figure(f"99th of {_CANCELS} cancels, {_AT_ONCE} at once beside {_LOAD} runs", took[_CANCELS - 2], 1)


def _expiry(client: OpenAI, backend: CompletionBackend, locum: Locum) -> Figure:
    """How late the sweep ends runs that wait for their client."""
    function: Any = {"type": "function", "function": {"name": "wait"}}
    backend.script("scripted-expiry", Turn(tool_calls=[Call("wait")]), repeat=True)
    runs = [_begin(client, "scripted-expiry", tools=[function]) for _ in range(20)]
    for run in runs:
        paused = client.beta.threads.runs.poll(run.id, thread_id=run.thread_id, poll_interval_ms=50)
        assert paused.status == "requires_action"
    ids = [run.id for run in runs]
    with psycopg.connect(locum.database_url, autocommit=True) as database:
        database.execute("UPDATE runs SET expires_at = now() + interval '1s' WHERE id = ANY (%s)", [ids])
        due = time.monotonic() + 1
        left = "SELECT count(*) FROM runs WHERE id = ANY (%s) AND status <> 'expired'"
        wait_for(lambda: database.execute(left, [ids]).fetchone() == (0,), "all to expire", 30)
    return Figure("the last of 20 runs expires after its time", time.monotonic() - due, 5)


def _beside_ingestion(client: OpenAI, backend: CompletionBackend) -> Iterator[Figure]:
    """Short runs while files are ingested: they are not behind them in any queue."""
    backend.script("scripted-short", Turn(text="Hello."), repeat=True)

    def short() -> float:
        begun = time.monotonic()
        run = _begin(client, "scripted-short")
        status = client.beta.threads.runs.poll(run.id, thread_id=run.thread_id, poll_interval_ms=10).status
        assert status == "completed"
        return time.monotonic() - begun

    quiet = statistics.median(short() for _ in range(20))
    content = b"Ada likes pizza with pineapple, and says so to everybody. " * 5000
    files = [client.files.create(file=(f"{number}.txt", content), purpose="assistants").id for number in range(_LOAD)]
    store = client.vector_stores.create(file_ids=files)
    took = [short() for _ in range(20)]
    counts = client.vector_stores.retrieve(store.id).file_counts
    if not counts.in_progress:
        took = [float("nan")]
    yield Figure("a short run, the machine being idle (median)", quiet, 1)
    yield Figure(f"a short run, {counts.in_progress} files being ingested (the slowest of 20)", max(took), 2)
    wait_for(lambda: not client.vector_stores.retrieve(store.id).file_counts.in_progress, "the files", 300)


def _recovery(client: OpenAI, backend: CompletionBackend, locum: Locum) -> Figure:
    """From the death of a worker until another has all its runs, which it asks the model for again."""
    model, count = "scripted-recovery", 16
    backend.script(model, Turn(text=["Half", " a word"], hang_after=1), repeat=True)
    for _ in range(count):
        _begin(client, model)
    backend.wait_until_hanging(model, count, timeout=30)
    locum.start("worker2", "worker")
    with locum.redis() as redis:
        wait_for(lambda: redis.zcount("locum:workers:locum.runs", time.time(), "+inf") == 2, "both workers", 30)
    locum.stop("worker", 9)
    begun = time.monotonic()
    wait_for(lambda: len(backend.received(model)) == 2 * count, "all runs to be taken over", 60)
    backend.release(model)
    return Figure(f"the last of {count} runs of a killed worker goes on elsewhere", time.monotonic() - begun, 15)
