"""What the rows of a run tell of it, as events: for readers whose log was lost, or does not answer."""

from typing import Final

from app.domain.event_names import EventName
from app.domain.statuses import RunStatus, StepStatus
from app.events import RunEvent, event
from app.models import Message, Run, RunStep
from app.schemas import messages as message_schemas
from app.schemas import run_steps as step_schemas
from app.schemas import runs as run_schemas

#: What a run had not come to when it was queued.
_AS_CREATED: Final[dict[str, str | None]] = {
    "status": RunStatus.QUEUED,
    **dict.fromkeys(("started_at", "cancelled_at", "failed_at", "completed_at", "required_action")),
    **dict.fromkeys(("last_error", "incomplete_details", "usage")),
}


def beginning(run: Run) -> list[RunEvent]:
    """Returns the events that told of the run when it was queued, however far it has come since."""
    shown = run_schemas.Run.model_validate(run).model_copy(update=_AS_CREATED)
    return [event(name, shown) for name in (EventName.RUN_CREATED, EventName.RUN_QUEUED)]


def whole(run: Run, steps: list[RunStep], messages: dict[str, Message]) -> list[RunEvent]:
    """The events that tell a client what the rows hold, each object made known before it is closed."""
    story = []
    for step in steps:
        shown = step_schemas.RunStep.model_validate(step)
        story.append(event(EventName.STEP_CREATED, shown))
        message = messages.get(step.step_details.get("message_creation", {}).get("message_id"))
        if message is not None:
            written = message_schemas.Message.model_validate(message)
            story.append(event(EventName.MESSAGE_CREATED, written))
            story.append(event(EventName.of_message(message.status), written))
        if step.status != StepStatus.IN_PROGRESS:
            story.append(event(EventName.of_step(step.status), shown))
    story.append(event(EventName.of_run(run.status), run_schemas.Run.model_validate(run)))
    return story
