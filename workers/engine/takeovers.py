"""What a worker does first with a run that another has lost: the rows and the event log are brought to one state.

The lost worker stored before it told, and what it had not yet written to the log is gone with it.
"""

from collections.abc import Iterable

from redis.exceptions import RedisError
from sqlalchemy import select

from app.db.session import transaction
from app.events import RunEvent, Told, event
from app.models import Run, RunStep
from app.schemas import runs as run_schemas
from app.services import run_status, run_steps
from workers.engine.event_writer import RunLog
from workers.engine.process import WorkerProcess


async def go_on(process: WorkerProcess, run: Run, log: RunLog) -> None:
    """Drops the turn that was left half done, and tells so in `log`. Raises RunLost.

    Where the log lacks something that stays, its readers are to have it from the rows.
    """
    told = await _told(process, run)
    if told and told[-1].name == "thread.run.queued":
        log.append(event("thread.run.in_progress", run_schemas.Run.model_validate(run)))
    async with transaction(process.sessions) as session:
        await run_status.hold(session, run)
        dropped = await run_steps.discard_unfinished(session, run)
        kept = (await session.scalars(select(RunStep).where(RunStep.run_id == run.id))).all()
    known = set(told)
    if not told or not all(_last_event(step) in known for step in kept):
        log.skip()
    log.append(*_of_what_is_known(dropped, known))


async def _told(process: WorkerProcess, run: Run) -> list[Told]:
    try:
        return await process.event_log.told(run.id)
    except (RedisError, OSError):
        return []


def _last_event(step: RunStep) -> Told:
    """What a log has told last of a step, if it has told all."""
    return Told(f"thread.run.step.{step.status}", step.id.encode())


def _of_what_is_known(events: Iterable[RunEvent], known: set[Told]) -> list[RunEvent]:
    """Those about objects whose creation was told."""
    kept = []
    for item in events:
        made = Told.by(f"{item.name.rpartition('.')[0]}.created", item.data)
        if made in known:
            kept.append(item)
    return kept
