"""Reads from the database what a run may tell its model: the thread's messages and the run's own turns."""

from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Final

from sqlalchemy import Executable, bindparam, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.base import Json
from app.domain.statuses import StepStatus
from app.models import Message, Run, RunStep
from app.services import run_endings
from workers.engine.context import OwnTurn, ToldCall, ToolExchange
from workers.tools.base import UPSTREAM
from workers.tools.material import Gathering, Material
from workers.tools.toolbox import Toolbox

_PAGE: Final = 100
#: No text is so dense that a token is worth more bytes than this: reading stops when it surely fills the budget.
_BYTES_A_TOKEN: Final = 16
_MESSAGE_TOKENS: Final = 4


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens that the earlier turns of a run have used."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class ThreadMessage:
    """A message of the thread as its row has it."""

    seq: int
    role: str
    content: list[Json]
    attachments: list[Json]


@dataclass(frozen=True, slots=True)
class Past:
    """What a run has done before its next turn."""

    turns: list[OwnTurn]
    #: The number of the next turn.
    turns_taken: int
    spent: Spent
    #: What its messages may cite, link and show.
    material: Material = field(default_factory=Material)
    #: What was found for it without a call of the model.
    found: str | None = None
    #: The step of a turn whose calls are not all answered yet.
    open_step: RunStep | None = None

    @property
    def refusals(self) -> int:
        """How many of the last turns made calls that were refused."""
        refused = takewhile(lambda turn: turn.exchange is not None and turn.exchange.is_refused, reversed(self.turns))
        return sum(1 for _ in refused)

    @property
    def has_called(self) -> bool:
        """Whether the run has called tools."""
        return any(turn.exchange is not None for turn in self.turns)


#: The past of a new run.
NOTHING: Final = Past([], 0, Spent(0, 0))


async def read_messages(session: AsyncSession, run: Run, budget: int) -> list[ThreadMessage]:
    """The thread's messages: at least the newest that `budget` tokens hold, and the first one.

    However long the thread is, no more of it is read than the truncation strategy or the budget has a use for.
    """
    if run.truncation_strategy["type"] == "last_messages":
        newest = await _newest(session, run, run.truncation_strategy["last_messages"])
    else:
        newest = await _as_many_as_fit(session, run, budget)
    return newest[::-1]


#: The messages of the thread that the run has not written itself, newest first. Kept, with those made of it: to build
#: a statement takes longer than to have it executed.
_OTHERS: Final = (
    select(Message.seq, Message.role, Message.content, Message.attachments)
    .where(
        Message.thread_id == bindparam("thread_id"),
        or_(Message.run_id.is_(None), Message.run_id != bindparam("run_id")),
    )
    .order_by(Message.seq.desc())
)
_NEWEST: Final = _OTHERS.limit(bindparam("limit"))
_OLDER: Final = _NEWEST.where(Message.seq < bindparam("seq"))
_FIRST: Final = _OTHERS.where(
    Message.seq == select(func.min(Message.seq)).where(Message.thread_id == bindparam("thread_id")).scalar_subquery()
)


def _of(run: Run, **more: int) -> dict[str, str | int]:
    return {"thread_id": run.thread_id, "run_id": run.id, **more}


async def _read(session: AsyncSession, statement: Executable, parameters: dict[str, str | int]) -> list[ThreadMessage]:
    return [ThreadMessage(*row) for row in await session.execute(statement, parameters)]


async def _newest(session: AsyncSession, run: Run, limit: int) -> list[ThreadMessage]:
    return await _read(session, _NEWEST, _of(run, limit=limit))


async def _as_many_as_fit(session: AsyncSession, run: Run, budget: int) -> list[ThreadMessage]:
    found: list[ThreadMessage] = []
    left = budget
    while left > 0:
        if found:
            page = await _read(session, _OLDER, _of(run, limit=_PAGE, seq=found[-1].seq))
        else:
            page = await _newest(session, run, _PAGE)
        found += page
        left -= sum(_at_least(message.content) for message in page)
        if len(page) < _PAGE:
            return found
    for oldest in await _read(session, _FIRST, _of(run)):
        if oldest.seq < found[-1].seq:
            found.append(oldest)
    return found


def _at_least(content: list[Json]) -> int:
    texts = (part["text"]["value"] for part in content if part["type"] == "text")
    return _MESSAGE_TOKENS + sum(len(text) for text in texts) // _BYTES_A_TOKEN


async def read_past(session: AsyncSession, run: Run, toolbox: Toolbox) -> Past:
    """What `run` has done so far, from its steps and messages."""
    steps = (await session.scalars(select(RunStep).where(RunStep.run_id == run.id).order_by(RunStep.seq))).all()
    if not steps:
        return NOTHING
    written = select(Message.id, Message.content).where(Message.run_id == run.id, Message.thread_id == run.thread_id)
    texts = {message_id: _plain(content) for message_id, content in await session.execute(written)}
    turns: dict[int, OwnTurn] = {}
    gathering = Gathering()
    found: str | None = None
    for step in steps:
        turn = turns.get(step.turn, OwnTurn())
        if step.type == "message_creation":
            turns[step.turn] = replace(turn, text=texts.get(step.step_details["message_creation"]["message_id"]))
            gathering.add_message()
            continue
        calls = step.step_details["tool_calls"]
        gathering.add_calls(step.turn, calls)
        if any(call.get("unasked") for call in calls):
            found = toolbox.output(calls[0], step.turn, 0)
            turns[step.turn] = turn
        else:
            turns[step.turn] = replace(turn, exchange=_exchange(step, toolbox))
    usage = run_endings.total_usage(step.usage for step in steps)
    spent = Spent(usage["prompt_tokens"], usage["completion_tokens"])
    open_step = next((step for step in steps if step.status == StepStatus.IN_PROGRESS), None)
    in_order = [turns[number] for number in sorted(turns)]
    return Past(in_order, max(turns) + 1, spent, gathering.material(), found, open_step)


def _exchange(step: RunStep, toolbox: Toolbox) -> ToolExchange:
    complaint = step.last_error["message"] if step.last_error is not None else None
    told, first = [], 0
    for call in step.step_details["tool_calls"]:
        output = complaint or toolbox.output(call, step.turn, first)
        first += len(call["file_search"]["results"]) if call["type"] == "file_search" else 0
        upstream = call.get(UPSTREAM, {})
        told.append(ToldCall(call["id"], toolbox.name(call), toolbox.arguments(call), output, upstream))
    return ToolExchange(told, is_refused=complaint is not None)


def last_question(messages: list[ThreadMessage]) -> str:
    """The text of the user's last message."""
    return next((_plain(message.content) for message in reversed(messages) if message.role == "user"), "").strip()


def _plain(content: list[Json]) -> str:
    return "".join(part["text"]["value"] if part["type"] == "text" else part.get("refusal", "") for part in content)
