"""Executes the calls of hosted tools that a turn has made, and keeps each result as soon as it is there.

Only the step's row says which calls are still to be answered, so a worker that takes the run over goes on with those.
"""

import asyncio
from typing import Any

from app.db.base import Json, now
from app.db.session import transaction
from app.domain.event_names import EventName
from app.domain.statuses import RunStatus, StepStatus
from app.events import event
from app.models import Run, RunStep
from app.schemas import runs as run_schemas
from app.services import run_status
from workers.engine.drafts import call_delta
from workers.engine.event_writer import RunLog
from workers.engine.turn import step_events
from workers.tools import function
from workers.tools.base import STARTS, HostedTool, ToolContext
from workers.tools.toolbox import Toolbox

#: In a stored call: it has been executed. Clients are not shown it.
DONE = "done"


def is_open(call: Json) -> bool:
    """Whether a stored call of a hosted tool is still to be executed."""
    return call["type"] != "function" and not call.get(DONE)


class HostedCalls:
    """The calls of one step, which is in the database with all of them."""

    def __init__(self, context: ToolContext, toolbox: Toolbox, log: RunLog, step: RunStep) -> None:
        self._context = context
        self._run: Run = context.run
        self._toolbox = toolbox
        self._log = log
        self._step = step
        self._keeping = asyncio.Lock()

    async def work_off(self) -> bool:
        """Executes what is open; then closes the step, or pauses the run for the functions among the calls (True).

        Raises BackendFailure, RunLost.
        """
        calls = self._calls()
        by_kind: dict[str, list[int]] = {}
        for position, call in enumerate(calls):
            if is_open(call):
                by_kind.setdefault(call["type"], []).append(position)
        async with asyncio.TaskGroup() as group:
            for kind, positions in by_kind.items():
                tool = self._toolbox.hosted(kind)
                if tool is None:
                    raise ValueError(f"a call of {kind}, which is none of the run's tools")
                batches = [positions] if tool.in_order else [[position] for position in positions]
                for batch in batches:
                    group.create_task(self._execute(tool, batch))
        if any(call["type"] == "function" for call in calls):
            await self._pause()
            return True
        await self._close()
        return False

    def _calls(self) -> list[Json]:
        calls: list[Json] = self._step.step_details["tool_calls"]
        return calls

    async def _execute(self, tool: HostedTool, positions: list[int]) -> None:
        for position in positions:
            call = self._calls()[position]
            if not tool.is_repeatable:
                # Written down before it has any effect: whoever takes the run over must know.
                call = {**call, STARTS: call.get(STARTS, 0) + 1}
                await self._keep(position, call)
            call = {**await tool.execute(call, self._context), DONE: True}
            await self._keep(position, call)
            told = tool.result_delta(call)
            if told is not None:
                self._log.append(call_delta(self._step.id, position, told))

    async def _keep(self, position: int, call: Json) -> None:
        async with self._keeping:
            calls = [call if place == position else other for place, other in enumerate(self._calls())]
            await self._write(step_details={"type": "tool_calls", "tool_calls": calls})

    async def _write(self, **values: Any) -> None:
        async with transaction(self._context.sessions) as session:
            await run_status.hold(session, self._run)
            session.add(self._step)
            for name, value in values.items():
                setattr(self._step, name, value)

    async def _close(self) -> None:
        place = self._log.place_of_next().packed
        await self._write(status=StepStatus.COMPLETED, completed_at=now(), ended_place=place)
        self._log.append(*step_events(self._step, StepStatus.COMPLETED, include=self._run.include))

    async def _pause(self) -> None:
        asked = function.required_action(self._calls())
        async with transaction(self._context.sessions) as session:
            await run_status.transition(session, self._run, RunStatus.REQUIRES_ACTION, required_action=asked)
        self._log.append(event(EventName.RUN_REQUIRES_ACTION, run_schemas.Run.model_validate(self._run)))
