"""One turn of a run: a streamed model call, made into a message and tool calls, in rows and in events."""

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from app.backends.base import Delta, Finish, FinishReason, RefusalDelta, TextDelta, ToolCallDelta, Usage
from app.backends.thoughts import is_blank
from app.db.base import Json, now
from app.db.session import Sessions, autocommit, transaction
from app.domain.event_names import EventName
from app.domain.statuses import MessageStatus, StepStatus
from app.events import RunEvent, event
from app.models import Message, Run, RunStep
from app.schemas import messages as message_schemas
from app.schemas import run_steps as step_schemas
from app.services import run_endings, run_rows, run_steps
from workers.engine.drafts import CallsDraft, MessageDraft, TextPiece
from workers.engine.event_writer import RunLog
from workers.tools.material import Material
from workers.tools.toolbox import Toolbox

#: That a message is completed, and its step.
_EVENTS_AT_END: Final = 2


class Turn:
    """What one model call has brought so far.

    The first token of text opens a message and its step, the first tool call a step of its own; both rows are
    committed before their events go out. White space before a tool call opens none. Text that comes after a tool call
    is joined to the message before it.
    """

    def __init__(
        self, sessions: Sessions, run: Run, log: RunLog, toolbox: Toolbox, number: int, material: Material
    ) -> None:
        self._sessions = sessions
        self._run = run
        self._log = log
        self._toolbox = toolbox
        self._material = material
        self.number = number
        self.message: MessageDraft | None = None
        self.calls: CallsDraft | None = None
        self.end: Finish | None = None
        self._blank = ""  # white space that nothing has come after

    async def take(self, deltas: list[Delta]) -> None:
        """Takes what one read of the backend's answer brought. Raises RunLost."""
        for delta in deltas:
            match delta:
                case TextDelta(text):
                    await self._write("text", text)
                case RefusalDelta(text):
                    await self._write("refusal", text)
                case ToolCallDelta():
                    await self._call(delta)
                case Finish():
                    self.end = delta
                    if self.calls is not None:
                        self.calls.end(delta)

    async def _write(self, kind: str, piece: str) -> None:
        if self.message is None:
            if kind == "text":
                piece = self._blank + piece
                self._blank = piece if is_blank(piece) else ""
                if self._blank:
                    return
            await self._open_message()
        assert self.message is not None  # noqa: S101 - _open_message has just made it
        self._tell(self.message.add(kind, piece))

    async def say_something(self) -> None:
        """Makes the message of a turn that has said nothing and called nothing."""
        if self.message is None:
            await self._open_message()
            assert self.message is not None  # noqa: S101 - as above
            self._tell(self.message.blank(self._blank))

    def _tell(self, deltas: Iterable[TextPiece | RunEvent]) -> None:
        for delta in deltas:
            if isinstance(delta, RunEvent):
                self._log.append(delta)
            else:
                self._log.append_text(*delta)

    async def _open_message(self) -> None:
        """Begins the message of this turn."""
        message, step = run_steps.new_message(self._run, self.number)
        step.begun_place = self._log.place_of_next().packed
        async with autocommit(self._sessions) as session:
            await run_rows.insert_held(session, self._run, message, step)
        events = step_events(step, "created", "in_progress")
        shown = message_schemas.Message.model_validate(message)
        events += [event(EventName.MESSAGE_CREATED, shown), event(EventName.MESSAGE_IN_PROGRESS, shown)]
        self.message = MessageDraft(message, step, self._material)
        self._log.append(*events, *self.message.begin())

    async def _call(self, delta: ToolCallDelta) -> None:
        if self.calls is None:
            await self._open_calls()
        assert self.calls is not None  # noqa: S101 - _open_calls has just made it
        told = self.calls.add(delta.index, delta.name, delta.arguments)
        if told is not None:
            self._log.append(told)

    async def _open_calls(self) -> None:
        """Ends the message, if there is one, and begins the step of the tool calls.

        A worker that takes the run over drops a turn that has an open step, whole: so the message may end here.
        """
        events: list[RunEvent] = []
        if self.message is not None:
            self._tell(self.message.end())
        step = run_steps.new_step(self._run, self.number, {"type": "tool_calls", "tool_calls": []})
        step.begun_place = self._log.place_of_next(0 if self.message is None else _EVENTS_AT_END).packed
        async with transaction(self._sessions) as session:
            await run_rows.insert_held(session, self._run, step)
            if self.message is not None:
                session.add_all([self.message.message, self.message.step])
                events = self.close_message(None)
        events += step_events(step, "created", "in_progress")
        self.calls = CallsDraft(step, step.id, self._toolbox, at_most_one=not self._run.parallel_tool_calls)
        self._log.append(*events)

    def close_message(self, usage: Json | None) -> list[RunEvent]:
        """Completes the message and its step, rows that the caller has put into a session."""
        if self.message is None:
            return []
        self._tell(self.message.end())
        message, step = self.message.message, self.message.step
        message.content = self.message.content()
        message.status = MessageStatus.COMPLETED
        step.status = StepStatus.COMPLETED
        message.completed_at = step.completed_at = now()
        step.usage = usage or run_endings.total_usage([])
        step.ended_place = self._log.place_of_next().packed
        shown = message_schemas.Message.model_validate(message)
        return [event(EventName.MESSAGE_COMPLETED, shown), *step_events(step, StepStatus.COMPLETED)]

    def keep_calls(self, usage: Json | None) -> list[Json]:
        """Writes the calls and the usage of the turn to their step, a row that the caller has put into a session."""
        assert self.calls is not None  # noqa: S101 - asked of turns with calls alone
        calls = self.calls.calls()
        self.calls.step.step_details = {"type": "tool_calls", "tool_calls": calls}
        self.calls.step.usage = usage
        return calls

    def refuse_calls(self, usage: Json, complaint: str) -> list[RunEvent]:
        """Fails the step of calls that cannot be made, in rows that the caller has put into a session."""
        self.keep_calls(usage)
        assert self.calls is not None  # noqa: S101 - as above
        step = self.calls.step
        step.status = StepStatus.FAILED
        step.failed_at = now()
        step.ended_place = self._log.place_of_next().packed
        step.last_error = {"code": "server_error", "message": complaint}
        return step_events(step, StepStatus.FAILED)

    async def keep(self, session: AsyncSession, usage: Json | None) -> None:
        """Writes the calls and the usage of an unfinished turn to its last row, read anew."""
        step_id = (
            self.calls.id if self.calls is not None else self.message.step_id if self.message is not None else None
        )
        step = None if step_id is None else await session.get(RunStep, step_id)
        if step is None:
            return
        step.usage = usage
        if self.calls is not None:
            step.step_details = {"type": "tool_calls", "tool_calls": self.calls.calls()}

    def complaint(self) -> str | None:
        """What is wrong with the calls of this turn, if anything is."""
        calls = [] if self.calls is None else self.calls.calls()
        complaints = (self._toolbox.complaint(call) for call in calls)
        return next((text for text in complaints if text is not None), None)

    def rows(self) -> list[Message | RunStep]:
        """The rows that this turn has made."""
        rows: list[Message | RunStep] = []
        if self.message is not None:
            rows += [self.message.message, self.message.step]
        if self.calls is not None:
            rows.append(self.calls.step)
        return rows

    def steps(self) -> list[RunStep]:
        """The steps that this turn has made."""
        return [row for row in self.rows() if isinstance(row, RunStep)]

    def reason(self) -> FinishReason:
        """Why the model stopped."""
        return "stop" if self.end is None else self.end.reason

    def usage(self) -> Usage | None:
        """What the call has used, if the backend told it."""
        return None if self.end is None else self.end.usage

    def text(self) -> str:
        """Everything the model has written, for an estimate of its tokens."""
        calls = [] if self.calls is None else [str(call) for call in self.calls.calls()]
        return "".join([self.message.text() if self.message is not None else "", *calls])

    def drafts(self) -> dict[str, list[Json]]:
        """The content of the message of this turn, by its id."""
        return {} if self.message is None else {self.message.id: self.message.content()}


def step_events(step: object, *names: str, include: Sequence[str] | None = None) -> list[RunEvent]:
    """Events of a step's row, all with its present state and what `include` asks for."""
    shown = step_schemas.shown(step, include)
    return [event(EventName.of_step(name), shown) for name in names]
