"""What a worker does first with a run that another has lost: the rows and the event log are brought to one state.

The lost worker stored before it told, and what it had not yet written to the log is gone with it.
"""

from redis.exceptions import RedisError

from app.db.session import transaction
from app.domain.event_names import EventName
from app.events import event
from app.models import Run
from app.schemas import runs as run_schemas
from app.services import run_blame, run_status, run_steps
from app.services.run_claims import Claim
from app.services.told import Told
from workers.engine.event_writer import RunLog
from workers.engine.process import WorkerProcess


class GivenUp(Exception):
    """The run is not to be executed again: each time its worker was lost, at the same point."""


async def go_on(process: WorkerProcess, claim: Claim, log: RunLog) -> None:
    """Drops the turn that was left half done, and tells so in `log`. Raises RunLost, GivenUp.

    Where the log lacks something that stays, its readers are to have it from the rows.
    """
    run = claim.run
    if run_blame.is_hopeless(run):
        raise GivenUp
    told = await _told(process, run)
    if told.last == EventName.RUN_QUEUED:
        log.append(event(EventName.RUN_IN_PROGRESS, run_schemas.Run.model_validate(run)))
    async with transaction(process.sessions.of(run.project_id)) as session:
        await run_status.hold(session, run)
        kept = await run_steps.discard_unfinished(session, run)
        progress = run_steps.progress(kept)
        await run_blame.note_progress(session, run, progress, claim.blame)
    if told.last is None or not all(told.has_told(EventName.of_step(step.status), step.id) for step in kept):
        log.skip()
    log.append(*told.end_dropped({step.id for step in kept}))
    if run_blame.is_too_much(run, progress):
        raise GivenUp


async def _told(process: WorkerProcess, run: Run) -> Told:
    """What the log tells, and will ever tell of earlier attempts; nothing, if it is lost or away."""
    told = Told()
    try:
        await process.event_log.fence(run.id, run.attempt)
        for item in await process.event_log.read(run.id):
            told.take(item)
    except (RedisError, OSError):
        return Told()
    return told
