"""What must hold once the storm is over, by what a client reads and by what the database holds."""

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import psycopg
from openai import OpenAI

from app.services.file_sweep import LISTED_KEY
from tests.api.forms import stored
from tests.faults.cases import FILES, ROUNDS, Case, News, expected_text
from tests.faults.system import System
from tests.running import wait_for

#: Prompt and completion tokens that the scripted models tell for each of their turns.
_PER_TURN = (10, 5)
#: How long after something happened to a run a reader of its stream hears of it, at the latest: whatever is silent
#: meanwhile, but for the time in which the database itself is away. (Times of the API are in whole seconds.)
_SILENT_SECONDS = 15 + 1
_TURNS = {"text": 1, "stream": 1, "functions": ROUNDS + 1, "search": 2, "code": 2}


def problems(system: System, cases: Sequence[Case]) -> Iterator[str]:
    """Everything that is wrong, a line each."""
    with OpenAI(base_url=system.locum.base_url, api_key=system.locum.api_key, timeout=30) as client:
        for case in cases:
            for problem in _of_case(client, case):
                yield f"{case.kind} {case.token} ({case.thread_id or case.store_id} {case.run_id}): {problem}"
    yield from _in_database(system, cases)
    yield from _in_redis(system)
    yield from _in_storage(system)
    if system.has_sandbox:
        yield from _in_sandbox(system)


def lateness(news: News, away: Sequence[tuple[float, float]]) -> float:
    """How long it took until news was heard of, without the times (from, to) in which the database was away."""
    lost = (min(end, news.heard) - max(begin, news.happened) for begin, end in away)
    return news.heard - news.happened - sum(max(0, seconds) for seconds in lost)


def late_news(cases: Sequence[Case], away: Sequence[tuple[float, float]]) -> Iterator[str]:
    """Every stream that was silent for too long while its run had news, a line each."""
    for case in cases:
        late = [(lateness(news, away), news.name) for news in case.news]
        if late and max(late)[0] > _SILENT_SECONDS:
            seconds, name = max(late)
            yield f"the reader of {case.token} ({case.run_id}) heard of {name} after {seconds:.0f} s"


def _of_case(client: OpenAI, case: Case) -> Iterator[str]:
    if case.status == "failed" and case.may_fail:
        yield from _of_failure(client, case)
        return
    if case.status != "completed":
        yield f"it is {case.status}"
        return
    if case.complaint is not None:
        yield case.complaint
    if case.kind == "files":
        return
    messages = client.beta.threads.messages.list(case.thread_id, order="asc").data
    said = ["".join(part.text.value for part in message.content if part.type == "text") for message in messages]
    if said != [f"Please: {case.token}", _answer(case)]:
        yield f"the thread reads {said}"
    steps = client.beta.threads.runs.steps.list(case.run_id, thread_id=case.thread_id, order="asc").data
    yield from _of_steps(case, [step for step in steps if step.status == "completed"])
    run = client.beta.threads.runs.retrieve(case.run_id, thread_id=case.thread_id)
    usage = run.usage and (run.usage.prompt_tokens, run.usage.completion_tokens)
    due = tuple(tokens * _TURNS[case.kind] for tokens in _PER_TURN)
    if usage != due:
        yield f"its usage is {usage}, and {due} is due"


def _of_failure(client: OpenAI, case: Case) -> Iterator[str]:
    """The run has failed for its reason, and kept what was said."""
    run = client.beta.threads.runs.retrieve(case.run_id, thread_id=case.thread_id)
    if run.last_error is None or run.last_error.code != "server_error":
        yield f"it has failed with {run.last_error}"
    messages = client.beta.threads.messages.list(case.thread_id, run_id=case.run_id).data
    if [message.status for message in messages] not in ([], ["incomplete"]):
        yield f"its messages are {messages}"


def _answer(case: Case) -> str:
    match case.kind:
        case "functions":
            return f"{case.token}: " + "".join(f"{number + 1} " for number in range(ROUNDS))
        case "search":
            return f"{case.token} Ada likes pizza【0:0†facts.txt】."
        case "code":
            return f"{case.token} has run."
    return expected_text(case.token)


def _of_steps(case: Case, steps: Sequence[Any]) -> Iterator[str]:
    kinds = [step.type for step in steps]
    due = {"functions": ROUNDS, "search": 1, "code": 1}.get(case.kind, 0) * ["tool_calls"] + ["message_creation"]
    if kinds != due:
        yield f"its steps are {kinds}"
        return
    calls = [call for step in steps[:-1] for call in step.step_details.tool_calls]
    if case.kind == "functions" and [call.function.output for call in calls] != [str(n + 1) for n in range(ROUNDS)]:
        yield f"its calls are {calls}"
    if case.kind == "code":
        (call,) = calls
        logs = "".join(output.logs for output in call.code_interpreter.outputs if output.type == "logs")
        # Code may be run once more, and says so, if it is not known how far it came; it is never forgotten. Where the
        # host is lost its files are, and they are counted from one again.
        fine = ("ran x\n", "a second time.)\nran xx\n", "a second time.)\nran x\n", "not been run again.")
        if not logs.endswith(fine) and "could not be run to its end" not in logs:
            yield f"its code printed {logs!r}"


_QUERIES = {
    "runs that have not ended": "SELECT id FROM runs WHERE status IN ('queued', 'in_progress', 'cancelling')",
    "leases of runs that have ended": (
        "SELECT id FROM runs WHERE lease_expires_at > now()"
        " AND status IN ('completed', 'incomplete', 'failed', 'expired', 'cancelled')"
    ),
    "messages of runs that are not there": (
        "SELECT m.id FROM messages m LEFT JOIN runs r ON r.id = m.run_id WHERE m.run_id IS NOT NULL AND r.id IS NULL"
    ),
    "locks that are held for long": (
        "SELECT l.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE l.locktype = 'advisory' AND a.xact_start < now() - interval '10s'"
    ),
    "steps that are open": (
        "SELECT s.id FROM run_steps s JOIN runs r ON r.id = s.run_id"
        " WHERE s.status = 'in_progress' AND r.status IN ('completed', 'incomplete', 'failed', 'expired', 'cancelled')"
    ),
    "messages that are open": "SELECT id FROM messages WHERE status = 'in_progress'",
    "files that are not ingested": "SELECT id FROM vector_store_files WHERE status = 'in_progress'",
    "chunks that are there twice": (
        "SELECT file_id FROM chunks GROUP BY vector_store_id, file_id, position HAVING count(*) > 1"
    ),
    "transactions that are left open": (
        "SELECT pid FROM pg_stat_activity"
        " WHERE state LIKE 'idle in transaction%' AND state_change < now() - interval '10s'"
    ),
}


def _in_database(system: System, cases: Sequence[Case]) -> Iterator[str]:
    with psycopg.connect(system.locum.database_url, autocommit=True) as database:
        for what, query in _QUERIES.items():
            if found := database.execute(query).fetchall():
                yield f"there are {what}: {found[:5]}"
        threads = {case.thread_id for case in cases if case.thread_id}
        (count,) = database.execute("SELECT count(*) FROM threads").fetchone() or (0,)
        if count != len(threads):
            yield f"there are {count} threads, and clients know of {len(threads)}"
        stores = [case.store_id for case in cases if case.store_id]
        query = "SELECT count(DISTINCT file_id) FROM chunks WHERE vector_store_id = ANY (%s)"
        (ingested,) = database.execute(query, [stores]).fetchone() or (0,)
        if ingested != FILES * len(stores):
            yield f"{ingested} files have chunks, of {FILES * len(stores)}"


def _in_redis(system: System) -> Iterator[str]:
    with system.locum.redis() as redis:
        keys = {key.decode(): redis.ttl(key) for key in redis.keys("locum:*")}
        # A key may have gone since; the workers' entries have their times in them.
        endless = [key for key, seconds in keys.items() if seconds == -1 and not key.startswith("locum:workers:")]
        if endless:
            yield f"keys would stay for ever: {endless[:5]}"

        def is_drained() -> bool:
            return not redis.llen("locum.runs") and not redis.llen("locum.ingestion")

        try:
            wait_for(is_drained, "the queues to be empty", 10)
        except TimeoutError as error:
            yield str(error)


def _in_storage(system: System) -> Iterator[str]:
    """Each file has its bytes; what a crash has left without a row is swept away once it is old, so it is made old."""
    with psycopg.connect(system.locum.database_url, autocommit=True) as database:
        rows = database.execute("SELECT id, bytes FROM files").fetchall()
        parts = {part_id for (part_id,) in database.execute("SELECT id FROM upload_parts").fetchall()}
    sizes = {name: path.stat().st_size for name, path in stored(system.locum).items()}
    if wrong := [file_id for file_id, size in rows if sizes.get(file_id) != size]:
        yield f"files without their bytes: {wrong[:5]}"
    for path in stored(system.locum).values():
        os.utime(path, (0, 0))
    with system.locum.redis() as redis:
        redis.delete(LISTED_KEY)
    owned = {file_id for file_id, _ in rows} | parts
    try:
        wait_for(lambda: stored(system.locum).keys() <= owned, "bytes without rows to be swept away", 30)
    except TimeoutError as error:
        yield f"{error}: {sorted(stored(system.locum).keys() - owned)[:5]}"


def _in_sandbox(system: System) -> Iterator[str]:
    """No kernel runs, and no session's folder is left, but those of the host that runs now."""
    environment = system.locum.environment
    headers = {"Authorization": f"Bearer {environment['LOCUM_SANDBOX_TOKEN']}"}
    stats = httpx2.get(f"{environment['LOCUM_SANDBOX_URL']}/stats", headers=headers, timeout=10).json()
    known = stats["sessions"] + stats["warm"]
    sessions = Path(environment["LOCUM_DATA_DIR"]) / "sandbox" / "sessions"
    folders = {path.name for path in sessions.iterdir()}
    running = {name for line in _command_lines() for name in re.findall(rf"{re.escape(str(sessions))}/(\w+)", line)}
    if len(folders) > known or not running <= folders:
        yield f"the host knows of {known} sessions; there are {len(folders)} folders, and kernels on {len(running)}"


def _command_lines() -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield process.read_bytes().decode(errors="replace")
