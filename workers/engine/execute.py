"""Executes runs: the story of one, from the claim to its ending or its pause.

    claim ─▶ turn ─▶ turn ─▶ ... ─▶ completed | incomplete | failed
               │                      requires_action  (functions: the client's outputs queue the run again)
               └─ interrupted ─▶ cancelled | expired | handed back | nothing, if the run was lost

Nothing is kept in memory between turns that the rows do not hold, so whoever claims a run can go on with it.
"""

import contextlib
from dataclasses import replace
from functools import cached_property
from typing import Any, Final

import structlog
from sqlalchemy.orm.attributes import set_committed_value

from app import ids
from app.backends.base import BackendFailure, CompletionRequest, Model
from app.backends.parameters import WindowExceeded
from app.db.base import Json
from app.db.session import DATABASE_AWAY, autocommit, is_outage, transaction
from app.errors import in_brief
from app.events import event
from app.schemas import run_steps as step_schemas
from app.schemas import runs as run_schemas
from app.services import run_claims, run_rows, run_status, run_steps
from app.services.run_claims import Claim
from app.services.run_status import RunLost
from app.signals import nudge_after_commit
from app.storage.base import StorageAway
from workers.engine import attachments, earlier_files, history, request, takeovers
from workers.engine.drafts import call_delta
from workers.engine.history import Past, ThreadMessage
from workers.engine.hosted_calls import HostedCalls, is_open
from workers.engine.leases import Interrupted, Lease
from workers.engine.process import WorkerProcess
from workers.engine.turn import Turn, step_events
from workers.tools import function
from workers.tools.base import ToolContext
from workers.tools.toolbox import Toolbox

log = structlog.get_logger()

#: How often in a row the model may make calls that cannot be made.
_REFUSALS: Final = 3


async def execute(process: WorkerProcess, claim: Claim) -> None:
    """Executes a run that has been claimed, until it ends or pauses."""
    run = claim.run
    with process.leases.holding(run) as lease:
        execution = Execution(process, claim, lease)
        if claim.taken_over:
            log.info("run_taken_over", run_id=run.id, attempt=run.attempt)
        await execution.run_to_its_end()


class Execution:
    """One attempt at a run, in the hands of this process."""

    def __init__(self, process: WorkerProcess, claim: Claim, lease: Lease) -> None:
        self._process = process
        self._claim = claim
        self._run = run = claim.run
        self._lease = lease
        self.log = process.events.open(run.id, run.attempt)
        self._turn: Turn | None = None
        #: What code has written for earlier runs, by its path; None before it has been looked for.
        self._earlier: dict[str, str] | None = None

    @cached_property
    def _toolbox(self) -> Toolbox:
        return Toolbox.of(self._run.tools)

    async def run_to_its_end(self) -> None:
        """Works until the run has ended, pauses, or is no longer ours. Never raises."""
        structlog.contextvars.bind_contextvars(run_id=self._run.id, attempt=self._run.attempt)
        try:
            try:
                await self._work_and_close()
            except RunLost:
                # A cancel may have come between the last token and the ending; anything else is another's run now.
                await self._interrupted(Interrupted("cancelled"))
        except RunLost:
            log.info("run_lost")
            self._process.leases.excuse(self._lease)
        except DATABASE_AWAY as error:
            # Nothing can be written, so the run is given back later, or its lease lapses and it is taken over.
            log.warning("run_abandoned", error=in_brief(error))
            if is_outage(error):
                self._process.leases.excuse(self._lease)
        finally:
            structlog.contextvars.unbind_contextvars("run_id", "attempt")

    async def _work_and_close(self) -> None:
        try:
            async with self._lease.interruptible():
                if self._claim.taken_over:
                    await takeovers.go_on(self._process, self._claim, self.log)
                else:
                    await self._begin()
                await self._take_turns()
        except Interrupted as interruption:
            await self._interrupted(interruption)
        except takeovers.GivenUp:
            log.warning("run_given_up")
            await self._break_off("failed", "The run was given up: its worker was lost each time at the same point.")
        except BackendFailure as failure:
            await self._fail(failure.code, failure.message)
        except StorageAway as away:
            await self._fail("server_error", away.message)
        except request.BudgetSpent as spent:
            await self._end("incomplete", incomplete_details={"reason": spent.reason})
        except ExceptionGroup as group:  # of tool calls side by side
            await self._fail_by(group)
        except (RunLost, *DATABASE_AWAY):
            raise
        except Exception:  # a mistake of ours must not leave the run hanging
            log.exception("run_broke")
            await self._broke()

    async def _begin(self) -> None:
        has_begun = await self._process.event_log.wait_for_beginning(self._run.id, self._run.attempt - 1)
        if not has_begun and self._run.attempt > 1:
            self.log.skip()
        self.log.append(event("thread.run.in_progress", run_schemas.Run.model_validate(self._run)))

    async def _take_turns(self) -> None:
        model = await self._process.backends.resolve(self._run.model)
        context = self._tool_context(model)
        is_new = self._run.attempt == 1
        refused: CompletionRequest | None = None
        notes = await self._toolbox.prepare(context)
        while True:
            past, messages = await self._read(model, is_new=is_new)
            is_new = False
            if self._earlier is None:
                self._earlier = await self._earlier_files(messages)
            if past.open_step is not None:
                if await HostedCalls(context, self._toolbox, self.log, past.open_step).work_off():
                    return
                continue
            if past.turns_taken >= self._process.settings.run_max_turns:
                raise BackendFailure("server_error", f"The run came to no end in {past.turns_taken} turns.")
            told = await attachments.tell(self._process, self._run, messages, vision=model.vision)
            if past.turns_taken == 0 and request.searches_first(model) and await self._search_first(messages):
                continue
            asked = request.build(self._run, model, self._toolbox, told, past, notes)
            turn = self._turn = self._new_turn(past)
            try:
                await self._hear(turn, model, asked)
            except WindowExceeded as exceeded:
                request.require_shorter(asked, refused, exceeded)
                refused = asked
                model = await self._process.backends.resolve(self._run.model)
                continue
            refused = None
            if await self._close_turn(turn, asked, past):
                return

    async def _hear(self, turn: Turn, model: Model, asked: CompletionRequest) -> None:
        """Takes the model's answer. Raises BackendFailure, RunLost."""
        async with contextlib.aclosing(model.backend.stream(asked)) as answer:
            async for deltas in answer:
                await turn.take(deltas)

    def _tool_context(self, model: Model) -> ToolContext:
        process = self._process
        return ToolContext(
            settings=process.settings,
            sessions=process.sessions,
            storage=process.storage,
            embedder=process.embedder,
            sandbox=process.sandbox,
            run=self._run,
            model=model,
        )

    async def _read(self, model: Model, *, is_new: bool) -> tuple[Past, list[ThreadMessage]]:
        async with autocommit(self._process.sessions) as session:
            past = history.NOTHING if is_new else await history.read_past(session, self._run, self._toolbox)
            budget = request.prompt_budget(self._run, model, past.spent)
            return past, await history.read_messages(session, self._run, budget)

    async def _earlier_files(self, messages: list[ThreadMessage]) -> dict[str, str]:
        if not earlier_files.may_be_linked(self._toolbox, messages):
            return {}
        async with autocommit(self._process.sessions) as session:
            return await earlier_files.read(session, self._run)

    def _new_turn(self, past: Past) -> Turn:
        material = replace(past.material, files={**(self._earlier or {}), **past.material.files})
        return Turn(self._process.sessions, self._run, self.log, self._toolbox, past.turns_taken, material)

    async def _search_first(self, messages: list[ThreadMessage]) -> bool:
        """Begins a step with the search that the model is not asked for; False if there is nothing to search for."""
        tool = self._toolbox.searcher
        question = history.last_question(messages)
        if tool is None or not question:
            return False
        call = tool.ask(ids.new(ids.TOOL_CALL), question)
        step = run_steps.new_step(self._run, 0, {"type": "tool_calls", "tool_calls": [call]})
        step.usage = run_status.total_usage([])
        async with autocommit(self._process.sessions) as session:
            await run_rows.insert_held(session, self._run, step)
        told = call_delta(step.id, 0, step_schemas.shown_call(call))
        self.log.append(*step_events(step, "created", "in_progress"), told)
        return True

    async def _close_turn(self, turn: Turn, asked: CompletionRequest, past: Past) -> bool:
        """Writes down what a whole model call has brought; True if the run has ended or pauses for its client."""
        usage = turn.usage() or request.estimated_usage(asked, turn.text())
        stored = request.stored_usage(usage)
        match turn.reason():
            case "length":
                await self._end("incomplete", usage=stored, incomplete_details={"reason": "max_completion_tokens"})
                return True
            case "content_filter":
                error = {"code": "invalid_prompt", "message": "The model's answer was stopped by a content filter."}
                await self._end("failed", usage=stored, last_error=error, message_reason="content_filter")
                return True
        if turn.calls is None:
            await self._complete(turn, stored)
            return True
        complaint = turn.complaint()
        if complaint is not None:
            await self._refuse_calls(turn, stored, complaint, past)
            return False
        if any(is_open(call) for call in turn.calls.calls()):
            await self._keep_calls(turn, stored)
            return False
        await self._pause(turn, stored)
        return True

    async def _keep_calls(self, turn: Turn, usage: Json) -> None:
        """Writes down calls of hosted tools, to be executed from the row: by this worker, or by one that takes over."""
        async with transaction(self._process.sessions) as session:
            await run_status.hold(session, self._run)
            session.add_all(turn.rows())
            turn.keep_calls(usage)
        self._turn = None

    async def _complete(self, turn: Turn, usage: Json) -> None:
        await turn.say_something()
        events = turn.close_message(usage)
        if turn.number == 0:
            async with autocommit(self._process.sessions) as session:
                ending = await run_status.finish(session, self._run, "completed", steps=turn.steps(), rows=turn.rows())
        else:
            async with transaction(self._process.sessions) as session:
                session.add_all(turn.rows())
                ending = await run_status.finish(session, self._run, "completed")
        self.log.append(*events, *ending)

    async def _pause(self, turn: Turn, usage: Json) -> None:
        """Hands the function calls of `turn` to the client; the step stays open until their outputs come."""
        async with transaction(self._process.sessions) as session:
            session.add_all(turn.rows())
            calls = turn.keep_calls(usage)
            required_action = function.required_action(calls)
            await run_status.transition(session, self._run, "requires_action", required_action=required_action)
        self.log.append(event("thread.run.requires_action", run_schemas.Run.model_validate(self._run)))

    async def _refuse_calls(self, turn: Turn, usage: Json, complaint: str, past: Past) -> None:
        """Closes a turn whose calls no client could answer: the model is told why in the next turn, not for ever."""
        async with transaction(self._process.sessions) as session:
            await run_status.hold(session, self._run)
            session.add_all(turn.rows())
            events = turn.refuse_calls(usage, complaint)
        self.log.append(*events)
        self._turn = None
        if past.refusals + 1 >= _REFUSALS:
            raise BackendFailure("server_error", f"The model went on making calls that cannot be made. {complaint}")

    async def _fail_by(self, group: ExceptionGroup[Exception]) -> None:
        first = group.exceptions[0]
        if isinstance(first, BackendFailure):
            await self._fail(first.code, first.message)
        elif isinstance(first, (RunLost, *DATABASE_AWAY)):
            raise first from None
        else:
            log.error("run_broke", exc_info=first)
            await self._broke()

    async def _broke(self) -> None:
        # A change of status that was rolled back has left its mark here.
        set_committed_value(self._run, "status", "in_progress")
        await self._fail("server_error", "Sorry, something went wrong.")

    async def _fail(self, code: str, message: str) -> None:
        await self._end("failed", last_error={"code": code, "message": message})

    async def _end(self, to: str, *, usage: Json | None = None, **details: Any) -> None:
        """Ends the run with whatever the present turn has written kept as it is, if it can be."""
        try:
            await self._end_with_turn(to, usage, **details)
        except (RunLost, *DATABASE_AWAY):
            raise
        except Exception:  # the ending must not depend on what the turn has brought
            log.exception("ending_broke")
            await self._break_off(to)

    async def _break_off(self, to: str, message: str = "Sorry, something went wrong.") -> None:
        async with transaction(self._process.sessions) as session:
            await run_status.break_off(session, self._lease.run_id, self._lease.attempt, to, message=message)

    async def _end_with_turn(self, to: str, usage: Json | None, **details: Any) -> None:
        drafts: dict[str, list[Json]] = {}
        async with transaction(self._process.sessions) as session:
            if self._turn is not None:
                await self._turn.keep(session, usage)
                drafts = self._turn.drafts()
            events = await run_status.finish(session, self._run, to, drafts=drafts, **details)
        self.log.append(*events)

    async def _interrupted(self, interruption: Interrupted) -> None:
        match interruption.reason:
            case "cancelled":
                async with transaction(self._process.sessions) as session:
                    self._run = await run_claims.reload(session, self._run, "cancelling")
                self.log.append(event("thread.run.cancelling", run_schemas.Run.model_validate(self._run)))
                await self._end("cancelled")
            case "expired":
                await self._end("expired")
            case "stopping":
                async with transaction(self._process.sessions) as session:
                    await run_claims.hand_back(session, self._run)
                    nudge_after_commit(session)
            case "lost":
                raise RunLost(self._run.id)
