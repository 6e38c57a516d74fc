"""What becomes of a whole model call: the run ends with it, pauses for its client, or goes on to its next turn."""

from typing import Final

from app.backends.base import BackendFailure, CompletionRequest
from app.db.base import Json
from app.db.session import autocommit, transaction
from app.domain.event_names import EventName
from app.domain.statuses import RunStatus
from app.events import event
from app.schemas import runs as run_schemas
from app.services import run_endings, run_status
from workers.engine import endings, request
from workers.engine.attempt import Attempt
from workers.engine.history import Past
from workers.engine.hosted_calls import is_open
from workers.engine.turn import Turn
from workers.tools import function

#: How often in a row the model may make calls that cannot be made.
_REFUSALS: Final = 3


async def close_turn(attempt: Attempt, turn: Turn, asked: CompletionRequest, past: Past) -> bool:
    """Writes down what a whole model call has brought; True if the run has ended or pauses for its client."""
    usage = turn.usage() or request.estimated_usage(asked, turn.text())
    stored = request.stored_usage(usage)
    match turn.reason():
        case "length":
            details = {"reason": "max_completion_tokens"}
            await endings.end(attempt, RunStatus.INCOMPLETE, usage=stored, incomplete_details=details)
            return True
        case "content_filter":
            error = {"code": "invalid_prompt", "message": "The model's answer was stopped by a content filter."}
            await endings.end(
                attempt, RunStatus.FAILED, usage=stored, last_error=error, message_reason="content_filter"
            )
            return True
    if turn.calls is None:
        await _complete(attempt, turn, stored)
        return True
    complaint = turn.complaint()
    if complaint is not None:
        await _refuse_calls(attempt, turn, stored, complaint, past)
        return False
    if any(is_open(call) for call in turn.calls.calls()):
        await _keep_calls(attempt, turn, stored)
        return False
    await _pause(attempt, turn, stored)
    return True


async def _keep_calls(attempt: Attempt, turn: Turn, usage: Json) -> None:
    """Writes down calls of hosted tools, to be executed from the row: by this worker, or by one that takes over."""
    async with transaction(attempt.sessions) as session:
        await run_status.hold(session, attempt.run)
        session.add_all(turn.rows())
        turn.keep_calls(usage)
    attempt.turn = None


async def _complete(attempt: Attempt, turn: Turn, usage: Json) -> None:
    await turn.say_something()
    events = turn.close_message(usage)
    if turn.number == 0:
        async with autocommit(attempt.sessions) as session:
            ending = await run_endings.finish(
                session, attempt.run, RunStatus.COMPLETED, steps=turn.steps(), rows=turn.rows()
            )
    else:
        async with transaction(attempt.sessions) as session:
            session.add_all(turn.rows())
            ending = await run_endings.finish(session, attempt.run, RunStatus.COMPLETED)
    attempt.log.append(*events, *ending)


async def _pause(attempt: Attempt, turn: Turn, usage: Json) -> None:
    """Hands the function calls of `turn` to the client; the step stays open until their outputs come."""
    async with transaction(attempt.sessions) as session:
        session.add_all(turn.rows())
        calls = turn.keep_calls(usage)
        required_action = function.required_action(calls)
        await run_status.transition(session, attempt.run, RunStatus.REQUIRES_ACTION, required_action=required_action)
    attempt.log.append(event(EventName.RUN_REQUIRES_ACTION, run_schemas.Run.model_validate(attempt.run)))


async def _refuse_calls(attempt: Attempt, turn: Turn, usage: Json, complaint: str, past: Past) -> None:
    """Closes a turn whose calls no client could answer: the model is told why in the next turn, not for ever."""
    async with transaction(attempt.sessions) as session:
        await run_status.hold(session, attempt.run)
        session.add_all(turn.rows())
        events = turn.refuse_calls(usage, complaint)
    attempt.log.append(*events)
    attempt.turn = None
    if past.refusals + 1 >= _REFUSALS:
        raise BackendFailure("server_error", f"The model went on making calls that cannot be made. {complaint}")
