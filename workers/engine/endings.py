"""How an attempt at a run ends: with what its turn has written kept, without it if that cannot be, or handed back."""

from typing import Any

import structlog
from sqlalchemy.orm.attributes import set_committed_value

from app.backends.base import BackendFailure
from app.db.base import Json
from app.db.session import DATABASE_AWAY, transaction
from app.domain.event_names import EventName
from app.domain.statuses import RunStatus
from app.events import event
from app.schemas import runs as run_schemas
from app.services import run_endings, run_leases
from app.services.run_status import RunLost
from app.signals import nudge_after_commit
from workers.engine.attempt import Attempt
from workers.leasing.leases import Interrupted

log = structlog.get_logger()


async def fail_by(attempt: Attempt, group: ExceptionGroup[Exception]) -> None:
    """Ends the run by the first error of tool calls side by side. Raises RunLost, and what tells of no database."""
    first = group.exceptions[0]
    if isinstance(first, BackendFailure):
        await fail(attempt, first.code, first.message)
    elif isinstance(first, (RunLost, *DATABASE_AWAY)):
        raise first from None
    else:
        log.error("run_broke", exc_info=first)
        await break_down(attempt)


async def break_down(attempt: Attempt) -> None:
    """Fails the run for a mistake of ours."""
    # A change of status that was rolled back has left its mark here.
    set_committed_value(attempt.run, "status", RunStatus.IN_PROGRESS)
    await fail(attempt, "server_error", "Sorry, something went wrong.")


async def fail(attempt: Attempt, code: str, message: str) -> None:
    """Ends the run as failed, with this as its `last_error`."""
    await end(attempt, RunStatus.FAILED, last_error={"code": code, "message": message})


async def end(attempt: Attempt, to: RunStatus, *, usage: Json | None = None, **details: Any) -> None:
    """Ends the run with whatever the present turn has written kept as it is, if it can be."""
    try:
        await _end_with_turn(attempt, to, usage, **details)
    except (RunLost, *DATABASE_AWAY):
        raise
    except Exception:  # the ending must not depend on what the turn has brought
        log.exception("ending_broke")
        await break_off(attempt, to)


async def break_off(attempt: Attempt, to: RunStatus, message: str = "Sorry, something went wrong.") -> None:
    """Ends the run without a look at what it holds (app.services.run_endings)."""
    async with transaction(attempt.sessions) as session:
        await run_endings.break_off(session, attempt.lease.key, attempt.lease.attempt, to, message=message)


async def _end_with_turn(attempt: Attempt, to: RunStatus, usage: Json | None, **details: Any) -> None:
    drafts: dict[str, list[Json]] = {}
    async with transaction(attempt.sessions) as session:
        if attempt.turn is not None:
            await attempt.turn.keep(session, usage)
            drafts = attempt.turn.drafts()
        events = await run_endings.finish(session, attempt.run, to, drafts=drafts, **details)
    attempt.log.append(*events)


async def interrupt(attempt: Attempt, interruption: Interrupted) -> None:
    """Does what the reason of an interruption asks for. Raises RunLost if the run is another's, or not cancelled."""
    match interruption.reason:
        case "cancelled":
            async with transaction(attempt.sessions) as session:
                attempt.run = await run_leases.reload(session, attempt.run, RunStatus.CANCELLING)
            attempt.log.append(event(EventName.RUN_CANCELLING, run_schemas.Run.model_validate(attempt.run)))
            await end(attempt, RunStatus.CANCELLED)
        case "expired":
            await end(attempt, RunStatus.EXPIRED)
        case "stopping":
            async with transaction(attempt.sessions) as session:
                await run_leases.hand_back(session, attempt.run)
                nudge_after_commit(session)
        case "lost":
            raise RunLost(attempt.run.id)
