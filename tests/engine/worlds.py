"""Runs for real, as the rules have them (tests.engine.run_model): database, Redis, and workers in this process whose
models say what they are told to say, when they are told to.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg
import structlog
from celery import Celery
from psycopg.rows import dict_row
from sqlalchemy.ext.asyncio import AsyncSession

from app import ids
from app.backends.base import (
    BackendFailure,
    CompletionRequest,
    Delta,
    Finish,
    Model,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from app.db.redis import create_redis
from app.db.session import create_engine, create_sessions, transaction
from app.errors import InvalidRequest
from app.events import EventLog, key
from app.models import Assistant, Project
from app.queue import Queue, create_celery
from app.schemas import runs as schemas
from app.schemas import threads as thread_schemas
from app.services import run_sweep, runs, threads
from app.settings import Settings
from app.signals import Signals
from app.supervision import Work
from tests.engine.run_model import (
    CONCURRENCY,
    LOST,
    PROJECTS,
    Cancel,
    Claim,
    Create,
    Delete,
    Die,
    GoOn,
    Lapse,
    ModelRun,
    OnThread,
    Overdue,
    Renew,
    Retire,
    RunModel,
    Step,
    Submit,
    Sweep,
)
from tests.event_order import EventOrder
from workers.engine import source
from workers.engine.process import WorkerProcess

WORKERS = 2
_USAGE = Usage(10, 5)
_PATIENCE = 20
_FUNCTION = {"type": "function", "function": {"name": "next_number", "parameters": {"type": "object"}}}
_ANSWERS: dict[str, list[Delta] | BackendFailure] = {
    "say": [TextDelta("word ")],
    "finish": [Finish("stop", _USAGE)],
    "call": [ToolCallDelta(0, "next_number", "{}"), Finish("tool_calls", _USAGE)],
    "fail": BackendFailure("server_error", "The model is tired."),
}


def settings_of(database_url: str, redis_url: str, data_dir: str) -> Settings:
    """Those of a world: leases end when they are made to."""
    return Settings(
        database_url=database_url,
        redis_url=redis_url,
        data_dir=data_dir,
        worker_concurrency=CONCURRENCY,
        run_lease_seconds=3600,
    )


@dataclass
class Call:
    """One execution that listens to its model."""

    attempt: int
    answers: "asyncio.Queue[list[Delta] | BackendFailure]" = field(default_factory=asyncio.Queue)
    is_listening: asyncio.Event = field(default_factory=asyncio.Event)


class Puppets:
    """The models of one worker: each says what is put into the call of the task that listens."""

    def __init__(self) -> None:
        self.calls: dict[asyncio.Task[None], Call] = {}

    async def resolve(self, name: str) -> Model:
        """Any name."""
        return Model(name, self, context_window=8192, tools="native", vision=False, json_schema=True)

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[list[Delta], None]:  # noqa: ARG002
        """Says what it is told to, to the finish."""
        task = asyncio.current_task()
        assert task is not None
        call = self.calls.setdefault(task, Call(structlog.contextvars.get_contextvars()["attempt"]))
        while True:
            call.is_listening.set()
            try:
                answer = await call.answers.get()
            finally:
                call.is_listening.clear()
            if isinstance(answer, BackendFailure):
                raise answer
            yield answer
            if any(isinstance(delta, Finish) for delta in answer):
                return

    async def close(self) -> None:
        """Nothing is open."""


class Worker(WorkerProcess):
    """A worker process without a clock: it renews when it is told to, and leaves the sweep to others."""

    def __init__(self, settings: Settings, celery: Celery) -> None:
        super().__init__(settings, celery, "locum.runs")
        self.puppets = Puppets()
        self.backends = self.puppets  # type: ignore[assignment]
        self.dispatcher = source.dispatcher(self)

    def keep(self, name: str, work: Work) -> None:
        """Of the work in the background, the writing of events alone."""
        if name == "event writer":
            super().keep(name, work)

    @property
    def tasks(self) -> "list[asyncio.Task[None]]":
        """The executions under way."""
        return list(self.dispatcher._under_way)

    async def settle(self) -> None:
        """Returns when every execution waits for its model, and all events are written."""
        for _turn in range(10):  # for an interruption to arrive
            await asyncio.sleep(0)
        async with asyncio.timeout(_PATIENCE):
            while busy := [task for task in self.tasks if not self._listens(task)]:
                waits = [asyncio.ensure_future(call.is_listening.wait()) for call in self.puppets.calls.values()]
                await asyncio.wait([*busy, *waits], return_when=asyncio.FIRST_COMPLETED, timeout=0.01)
                for wait in waits:
                    wait.cancel()
            await self.events.flush(_PATIENCE)

    def _listens(self, task: "asyncio.Task[None]") -> bool:
        call = self.puppets.calls.get(task)
        return call is not None and call.is_listening.is_set() and call.answers.empty()

    def task_of(self, run_id: str, attempt: int) -> "asyncio.Task[None]":
        """The execution of an attempt."""
        return next(
            task for task in self.tasks if task.get_name() == run_id and self.puppets.calls[task].attempt == attempt
        )

    async def kill(self) -> None:
        """Ends without a word."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await super().close()


class World:
    """An API, workers, a sweep, and a client with a thread for each of PROJECTS. Made and closed on its loop."""

    def __init__(self, settings: Settings, database: psycopg.Connection[Any]) -> None:
        self.settings = settings
        self.database = database
        self.redis = create_redis(settings)
        self.celery = create_celery(settings)
        self.log = EventLog(self.redis, settings)
        self.queue = Queue(self.celery, self.redis)
        self.engine = create_engine(settings)
        self.sessions = create_sessions(self.engine, signals=Signals(self.redis, self.log, self.queue)).of_all()
        self.workers = [Worker(settings, self.celery) for _ in range(WORKERS)]
        self.projects = [ids.new(ids.PROJECT) for _ in set(PROJECTS)]
        self.assistants: list[str] = []
        self.threads: list[str] = []
        #: By the numbers of the model.
        self.runs: dict[int, str] = {}
        self._doing: dict[type[Step], Callable[[Any, RunModel], Awaitable[Any]]] = {
            Create: self._create,
            Cancel: self._cancel,
            Submit: self._submit,
            Delete: self._delete,
            Lapse: self._lapse,
            Overdue: self._overdue,
            Sweep: self._sweep,
            Claim: self._claim,
            GoOn: self._go_on,
            Renew: self._renew,
            Retire: self._retire,
            Die: self._die,
        }

    async def prepare(self) -> None:
        """Makes what runs need."""
        async with transaction(self.sessions) as session:
            for project in self.projects:
                session.add(Project(id=project, name="test"))
            await session.flush()
            for project in self.projects:
                made = Assistant(
                    id=ids.new(ids.ASSISTANT), project_id=project, model="puppet", instructions="Go.", tools=[_FUNCTION]
                )
                session.add(made)
                self.assistants.append(made.id)
        for thread in range(len(PROJECTS)):
            self.threads.append(await self._new_thread(thread))

    async def close(self) -> None:
        """Leaves nothing: no task, no connection, no row."""
        for worker in self.workers:
            await worker.kill()
        self.database.execute("DELETE FROM threads")
        self.database.execute("DELETE FROM assistants")
        self.database.execute("DELETE FROM projects")
        await self.redis.flushdb()
        self.queue.close()
        await self.redis.aclose()
        await self.engine.dispose()

    async def do(self, step: Step, model: RunModel) -> Any:
        """Does it for real; gives the outcome. `model` is as before."""
        return await self._doing[type(step)](step, model)

    async def settle(self) -> None:
        """Returns when nothing is under way."""
        for worker in self.workers:
            await worker.settle()

    def _thread(self, number: int) -> tuple[str, str]:
        return self.projects[PROJECTS[number]], self.threads[number]

    async def _new_thread(self, number: int) -> str:
        async with transaction(self.sessions) as session:
            thread = await threads.create(session, self.projects[PROJECTS[number]], thread_schemas.ThreadCreate())
        return thread.id

    async def _requested(self, request: Callable[[AsyncSession], Awaitable[Any]]) -> Any:
        try:
            async with transaction(self.sessions) as session:
                return await request(session)
        except InvalidRequest:
            return None

    async def _create(self, step: Create, model: RunModel) -> str:
        body = schemas.RunCreate(assistant_id=self.assistants[PROJECTS[step.thread]])
        made = await self._requested(
            lambda session: runs.create(session, self.settings, *self._thread(step.thread), body)
        )
        if made is None:
            return "refused"
        self.runs[model.clock + 1] = made.id
        return "done"

    def _id(self, step: OnThread, model: RunModel) -> str:
        return self.runs[model.latest(step.thread) or 0]

    async def _cancel(self, step: Cancel, model: RunModel) -> str:
        place = (*self._thread(step.thread), self._id(step, model))
        return "done" if await self._requested(lambda session: runs.cancel(session, *place)) else "refused"

    async def _submit(self, step: Submit, model: RunModel) -> str:
        place = (*self._thread(step.thread), self._id(step, model))

        async with transaction(self.sessions) as session:
            run = await runs.get(session, *place)
        asked = run.required_action["submit_tool_outputs"]["tool_calls"] if run.required_action else []
        outputs = [{"tool_call_id": call["id"], "output": "1"} for call in asked] or [{"tool_call_id": "call_none"}]
        body = schemas.SubmitToolOutputs.model_validate({"tool_outputs": outputs})
        return (
            "done"
            if await self._requested(lambda session: runs.submit_tool_outputs(session, *place, body))
            else "refused"
        )

    async def _delete(self, step: Delete, _: RunModel) -> str:
        async with transaction(self.sessions) as session:
            await threads.delete(session, *self._thread(step.thread))
        self.threads[step.thread] = await self._new_thread(step.thread)
        return "done"

    async def _lapse(self, step: Lapse, model: RunModel) -> str:
        query = """
            UPDATE runs SET lease_expires_at = now() - interval '1s', blame = 0
            WHERE id = %s AND lease_expires_at > now()"""
        self.database.execute(query, [self._id(step, model)])
        return "done"

    async def _overdue(self, step: Overdue, model: RunModel) -> str:
        query = "UPDATE runs SET expires_at = now() - interval '1s' WHERE id = %s AND expires_at IS NOT NULL"
        self.database.execute(query, [self._id(step, model)])
        return "done"

    async def _sweep(self, _step: Sweep, _: RunModel) -> int:
        async with transaction(self.sessions) as session:
            assert await run_sweep.try_sweep_lock(session)
            return await run_sweep.end_overdue(session)

    async def _claim(self, step: Claim, _: RunModel) -> list[tuple[int, int]]:
        worker = self.workers[step.worker]
        before = set(worker.tasks)
        await worker.dispatcher.take()
        await worker.settle()
        numbers = {run_id: number for number, run_id in self.runs.items()}
        calls = worker.puppets.calls
        return sorted((numbers[task.get_name()], calls[task].attempt) for task in set(worker.tasks) - before)

    async def _go_on(self, step: GoOn, _: RunModel) -> str:
        hand = step.hand
        worker = self.workers[hand.worker]
        run_id = self.runs[hand.run]
        task = worker.task_of(run_id, hand.attempt)
        if step.answer == "time out":
            worker.leases._held[run_id].interrupt("expired")
        else:
            worker.puppets.calls[task].answers.put_nowait(_ANSWERS[step.answer])
        await worker.settle()
        if not task.done():
            return "told"
        # A pause may be over before anybody looks.
        row = self.database.execute("SELECT status, attempt FROM runs WHERE id = %s", [run_id]).fetchone()
        return LOST if row is None or row[1] != hand.attempt else str(row[0])

    async def _renew(self, step: Renew, _: RunModel) -> str:
        worker = self.workers[step.worker]
        await worker.leases.renew()
        await worker.settle()
        return "done"

    async def _retire(self, step: Retire, _: RunModel) -> str:
        worker = self.workers[step.worker]
        async with asyncio.timeout(_PATIENCE):
            await worker.drain()
            await worker.dispatcher.join()
            await worker.close()
        self.workers[step.worker] = Worker(self.settings, self.celery)
        return "done"

    async def _die(self, step: Die, _: RunModel) -> str:
        await self.workers[step.worker].kill()
        self.workers[step.worker] = Worker(self.settings, self.celery)
        return "done"

    def observed(self, number: int, run: ModelRun) -> ModelRun:
        """The run `number` as the database has it, in the terms of the model; what it does not know is as in `run`."""
        query = """
            SELECT status, attempt, coalesce(lease_expires_at > now(), false) AS is_held,
                coalesce(expires_at <= now(), false) AS is_overdue,
                EXISTS (SELECT FROM messages WHERE run_id = runs.id AND status = 'in_progress') AS is_open,
                (SELECT coalesce(sum((usage->>'prompt_tokens')::int), 0) / 10
                 FROM run_steps WHERE run_id = runs.id) AS turns,
                (SELECT count(*) FROM messages WHERE run_id = runs.id AND status = 'completed') AS messages
            FROM runs WHERE id = %s"""
        with self.database.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(query, [self.runs[number]]).fetchone()
        assert row is not None, f"run {number} is gone"
        return ModelRun(thread=run.thread, queued=run.queued, **row)

    def written(self, number: int) -> str:
        """Everything that is stored of a run, but for its lease and what is held against it."""
        query = """
            SELECT jsonb_agg(row ORDER BY row)::text FROM (
                SELECT to_jsonb(r) - 'lease_expires_at' - 'blame' AS row FROM runs r WHERE id = %(run)s
                UNION ALL SELECT to_jsonb(s) FROM run_steps s WHERE run_id = %(run)s
                UNION ALL SELECT to_jsonb(m) FROM messages m WHERE run_id = %(run)s) AS rows"""
        row = self.database.execute(query, {"run": self.runs[number]}).fetchone()
        assert row is not None
        return str(row[0])

    def locks(self) -> list[Any]:
        """What is left locked or open while nothing is under way."""
        query = """
            SELECT pid, state, query FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'"""
        return self.database.execute(query).fetchall()

    def crowded_threads(self) -> list[Any]:
        """Threads with more than one active run."""
        query = """
            SELECT thread_id FROM runs WHERE status IN ('queued', 'in_progress', 'requires_action', 'cancelling')
            GROUP BY thread_id HAVING count(*) > 1"""
        return self.database.execute(query).fetchall()

    async def faults_of_log(self, number: int) -> list[str]:
        """What is wrong with the order of a run's events."""
        order = EventOrder("log")
        entries: Any = await self.redis.xrange(key(self.runs[number]))
        for place, fields in entries:
            ((name, frame),) = fields.items()
            data = next(line for line in frame.split(b"\n") if line.startswith(b"data: "))[6:]
            order.take(name.decode(), data.decode(), place.decode())
            if name == b"thread.run.requires_action":
                order.go_on()
        return order.faults
