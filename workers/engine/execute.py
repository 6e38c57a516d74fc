"""Executes runs: the story of one, from the claim to its ending or its pause.

    claim ─▶ turn ─▶ turn ─▶ ... ─▶ completed | incomplete | failed
               │                      requires_action  (functions: the client's outputs queue the run again)
               └─ interrupted ─▶ cancelled | expired | handed back | nothing, if the run was lost

Nothing is kept in memory between turns that the rows do not hold, so whoever claims a run can go on with it.
"""

import contextlib
from dataclasses import replace
from typing import Final

import structlog

from app import ids
from app.backends.base import BackendFailure, CompletionRequest, Model
from app.backends.parameters import WindowExceeded
from app.db.session import DATABASE_AWAY, autocommit, is_outage
from app.domain.event_names import EventName
from app.domain.statuses import RunStatus
from app.errors import in_brief
from app.events import event
from app.models import Run
from app.schemas import run_steps as step_schemas
from app.schemas import runs as run_schemas
from app.services import run_endings, run_rows, run_steps
from app.services.run_claims import Claim
from app.services.run_status import RunLost
from app.storage.base import StorageAway
from workers.engine import attachments, earlier_files, endings, history, request, takeovers, turn_ends
from workers.engine.attempt import Attempt
from workers.engine.drafts import call_delta
from workers.engine.history import Past, ThreadMessage
from workers.engine.hosted_calls import HostedCalls
from workers.engine.leases import RunLease, lease_on
from workers.engine.process import WorkerProcess
from workers.engine.turn import Turn, step_events
from workers.leasing.leases import Interrupted
from workers.tools.base import ToolContext

log = structlog.get_logger()

_GIVEN_UP: Final = "The run was given up: its worker was lost each time at the same point."


async def execute(process: WorkerProcess, claim: Claim) -> None:
    """Executes a run that has been claimed, until it ends or pauses."""
    run = claim.run
    with process.leases.holding(lease_on(run)) as lease:
        execution = Execution(process, claim, lease)
        if claim.taken_over:
            log.info("run_taken_over", run_id=run.id, attempt=run.attempt)
        await execution.run_to_its_end()


class Execution:
    """One attempt at a run, in the hands of this process."""

    def __init__(self, process: WorkerProcess, claim: Claim, lease: RunLease) -> None:
        self._attempt = Attempt(process, claim, lease)
        self._process = process
        #: What code has written for earlier runs, by its path; None before it has been looked for.
        self._earlier: dict[str, str] | None = None

    async def run_to_its_end(self) -> None:
        """Works until the run has ended, pauses, or is no longer ours. Never raises."""
        structlog.contextvars.bind_contextvars(run_id=self._attempt.run.id, attempt=self._attempt.run.attempt)
        try:
            try:
                await self._work_and_close()
            except RunLost:
                # A cancel may have come between the last token and the ending; anything else is another's run now.
                await endings.interrupt(self._attempt, Interrupted("cancelled"))
        except RunLost:
            log.info("run_lost")
            self._process.leases.excuse(self._attempt.lease)
        except DATABASE_AWAY as error:
            # Nothing can be written, so the run is given back later, or its lease lapses and it is taken over.
            log.warning("run_abandoned", error=in_brief(error))
            if is_outage(error):
                self._process.leases.excuse(self._attempt.lease)
        finally:
            structlog.contextvars.unbind_contextvars("run_id", "attempt")

    async def _work_and_close(self) -> None:
        try:
            async with self._attempt.lease.interruptible():
                if self._attempt.claim.taken_over:
                    await takeovers.go_on(self._process, self._attempt.claim, self._attempt.log)
                else:
                    await self._begin()
                await self._take_turns()
        except Interrupted as interruption:
            await endings.interrupt(self._attempt, interruption)
        except takeovers.GivenUp:
            log.warning("run_given_up")
            await endings.break_off(self._attempt, RunStatus.FAILED, _GIVEN_UP)
        except BackendFailure as failure:
            await endings.fail(self._attempt, failure.code, failure.message)
        except StorageAway as away:
            await endings.fail(self._attempt, "server_error", away.message)
        except request.BudgetSpent as spent:
            await endings.end(self._attempt, RunStatus.INCOMPLETE, incomplete_details={"reason": spent.reason})
        except ExceptionGroup as group:  # of tool calls side by side
            await endings.fail_by(self._attempt, group)
        except (RunLost, *DATABASE_AWAY):
            raise
        except Exception:  # a mistake of ours must not leave the run hanging
            log.exception("run_broke")
            await endings.break_down(self._attempt)

    async def _begin(self) -> None:
        run, run_log = self._attempt.run, self._attempt.log
        has_begun = await self._process.event_log.wait_for_beginning(run.id, run.attempt - 1)
        if not has_begun and run.attempt > 1:
            run_log.skip()
        run_log.append(event(EventName.RUN_IN_PROGRESS, run_schemas.Run.model_validate(run)))

    async def _take_turns(self) -> None:
        attempt = self._attempt
        model = await self._process.backends.resolve(attempt.run.model)
        context = _tool_context(self._process, attempt.run, model)
        is_new = attempt.run.attempt == 1
        refused: CompletionRequest | None = None
        notes = await attempt.toolbox.prepare(context)
        while True:
            past, messages = await self._read(model, is_new=is_new)
            is_new = False
            if self._earlier is None:
                self._earlier = await self._earlier_files(messages)
            if past.open_step is not None:
                if await HostedCalls(context, attempt.toolbox, attempt.log, past.open_step).work_off():
                    return
                continue
            if past.turns_taken >= self._process.settings.run_max_turns:
                raise BackendFailure("server_error", f"The run came to no end in {past.turns_taken} turns.")
            told = await attachments.tell(self._process, attempt.run, messages, vision=model.vision)
            if past.turns_taken == 0 and request.searches_first(model) and await self._search_first(messages):
                continue
            asked = request.build(attempt.run, model, attempt.toolbox, told, past, notes)
            turn = attempt.turn = self._new_turn(past)
            try:
                await self._hear(turn, model, asked)
            except WindowExceeded as exceeded:
                request.require_shorter(asked, refused, exceeded)
                refused = asked
                model = await self._process.backends.resolve(attempt.run.model)
                continue
            refused = None
            if await turn_ends.close_turn(attempt, turn, asked, past):
                return

    async def _hear(self, turn: Turn, model: Model, asked: CompletionRequest) -> None:
        """Takes the model's answer. Raises BackendFailure, RunLost."""
        async with contextlib.aclosing(model.backend.stream(asked)) as answer:
            async for deltas in answer:
                await turn.take(deltas)

    async def _read(self, model: Model, *, is_new: bool) -> tuple[Past, list[ThreadMessage]]:
        run, toolbox = self._attempt.run, self._attempt.toolbox
        async with autocommit(self._attempt.sessions) as session:
            past = history.NOTHING if is_new else await history.read_past(session, run, toolbox)
            budget = request.prompt_budget(run, model, past.spent)
            return past, await history.read_messages(session, run, budget)

    async def _earlier_files(self, messages: list[ThreadMessage]) -> dict[str, str]:
        if not earlier_files.may_be_linked(self._attempt.toolbox, messages):
            return {}
        async with autocommit(self._attempt.sessions) as session:
            return await earlier_files.read(session, self._attempt.run)

    def _new_turn(self, past: Past) -> Turn:
        attempt = self._attempt
        material = replace(past.material, files={**(self._earlier or {}), **past.material.files})
        return Turn(self._attempt.sessions, attempt.run, attempt.log, attempt.toolbox, past.turns_taken, material)

    async def _search_first(self, messages: list[ThreadMessage]) -> bool:
        """Begins a step with the search that the model is not asked for; False if there is nothing to search for."""
        tool = self._attempt.toolbox.searcher
        question = history.last_question(messages)
        if tool is None or not question:
            return False
        call = tool.ask(ids.new(ids.TOOL_CALL), question)
        step = run_steps.new_step(self._attempt.run, 0, {"type": "tool_calls", "tool_calls": [call]})
        step.usage = run_endings.total_usage([])
        step.begun_place = self._attempt.log.place_of_next().packed
        async with autocommit(self._attempt.sessions) as session:
            await run_rows.insert_held(session, self._attempt.run, step)
        told = call_delta(step.id, 0, step_schemas.shown_call(call))
        self._attempt.log.append(*step_events(step, "created", "in_progress"), told)
        return True


def _tool_context(process: WorkerProcess, run: Run, model: Model) -> ToolContext:
    return ToolContext(
        settings=process.settings,
        sessions=process.sessions.of(run.project_id),
        storage=process.storage,
        embedder=process.embedder,
        sandbox=process.sandbox,
        run=run,
        model=model,
    )
