"""What the rows of a run tell of it, as events: for readers whose log was lost, or does not answer."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from app.db.base import Json
from app.domain.event_names import EventName
from app.domain.statuses import RunStatus, StepStatus
from app.events import Place, RunEvent, event
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
#: The same of steps and messages that had just begun.
_AS_BEGUN: Final[dict[str, str | None]] = {"status": StepStatus.IN_PROGRESS, "completed_at": None}
_STEP_AS_BEGUN: Final = _AS_BEGUN | dict.fromkeys(("cancelled_at", "expired_at", "failed_at", "last_error", "usage"))
_MESSAGE_AS_BEGUN: Final[dict[str, Any]] = _AS_BEGUN | {
    "incomplete_at": None,
    "incomplete_details": None,
    "content": [],
    "attachments": [],
}
#: Behind the events of an attempt that queued the run: that it is in progress. The log tells that first of the next
#: attempt, or second, where its worker has left a number out.
BEGUN: Final = 2**31 - 1
#: The most events that a step's beginning or end is told by, one after the other: `_of_beginning`, `_of_end`.
MOST_AT_ONCE: Final = 4


class Placed(NamedTuple):
    """An event, and its place in the log."""

    place: Place
    event: RunEvent


def beginning(run: Run) -> list[RunEvent]:
    """Returns the events that told of the run when it was queued, however far it has come since."""
    shown = run_schemas.Run.model_validate(run).model_copy(update=_AS_CREATED)
    return [event(name, shown) for name in (EventName.RUN_CREATED, EventName.RUN_QUEUED)]


def so_far(run: Run, steps: Sequence[RunStep], messages: dict[str, Message]) -> list[Placed]:
    """Returns what the log should have told of the run up to now, but for deltas, with its places in the log.

    `steps` are some of the run's, in their order, and `messages` theirs. Of a step that was imported, or ended with
    its run, the places are not known: the run has ended, and `whole` tells of it.
    """
    story = [Placed(Place(0, number), item) for number, item in enumerate(beginning(run), 1)]
    story += _begun(run, steps, 0)
    for step in steps:
        message = messages.get(_message_id(step))
        if step.begun_place is not None:
            story += _numbered(Place.unpacked(step.begun_place), _of_beginning(run, step, message))
        if step.ended_place is not None and step.status != StepStatus.IN_PROGRESS:
            at = Place.unpacked(step.ended_place)
            story += _numbered(at, _of_end(run, step, message))
            if step.status == StepStatus.COMPLETED and _has_function(step):
                # It was completed by its client's outputs, which queued the run.
                queued = event(EventName.RUN_QUEUED, _run_as(run, RunStatus.QUEUED, started_at=None))
                story.append(Placed(Place(at.attempt, at.number + 1), queued))
                story += _begun(run, steps, at.attempt)
    return sorted(story, key=lambda placed: placed.place)


def _begun(run: Run, steps: Sequence[RunStep], queued_by: int) -> list[Placed]:
    """That the run is in progress, after the attempt `queued_by` had queued it; nothing if it is not known to be."""
    later = any((step.begun_place or 0) >= Place(queued_by + 1, 0).packed for step in steps)
    if not later and (run.status != RunStatus.IN_PROGRESS or run.attempt <= queued_by):
        return []
    return [Placed(Place(queued_by, BEGUN), event(EventName.RUN_IN_PROGRESS, _run_as(run, RunStatus.IN_PROGRESS)))]


def _run_as(run: Run, status: RunStatus, **more: Any) -> run_schemas.Run:
    """The run as it was in an earlier `status`."""
    shown = run_schemas.Run.model_validate(run)
    return shown.model_copy(update=_AS_CREATED | {"status": status, "started_at": shown.started_at} | more)


def _numbered(first: Place, events: Iterator[RunEvent]) -> Iterator[Placed]:
    for number, item in enumerate(events, first.number):
        yield Placed(Place(first.attempt, number), item)


def _of_beginning(run: Run, step: RunStep, message: Message | None) -> Iterator[RunEvent]:
    """The events that a worker appends when it begins a step; what its calls are, deltas tell."""
    update: Json = dict(_STEP_AS_BEGUN)
    if step.type == "tool_calls":
        update["step_details"] = {"type": "tool_calls", "tool_calls": []}
    shown = step_schemas.shown(step, run.include).model_copy(update=update)
    for name in (EventName.STEP_CREATED, EventName.STEP_IN_PROGRESS):
        yield event(name, shown)
    if message is not None:
        written = message_schemas.Message.model_validate(message).model_copy(update=_MESSAGE_AS_BEGUN)
        for name in (EventName.MESSAGE_CREATED, EventName.MESSAGE_IN_PROGRESS):
            yield event(name, written)


def _of_end(run: Run, step: RunStep, message: Message | None) -> Iterator[RunEvent]:
    """The events that a worker, or the client with its outputs, ends a step with."""
    if message is not None:
        yield event(EventName.of_message(message.status), message_schemas.Message.model_validate(message))
    yield event(EventName.of_step(step.status), step_schemas.shown(step, run.include))


def _has_function(step: RunStep) -> bool:
    return any(call["type"] == "function" for call in step.step_details.get("tool_calls", ()))


def _message_id(step: RunStep) -> str:
    found: str = step.step_details.get("message_creation", {}).get("message_id", "")
    return found


def whole(run: Run, steps: Sequence[RunStep], messages: dict[str, Message]) -> list[RunEvent]:
    """The events that tell a client what the rows hold, each object made known before it is closed."""
    story = []
    for step in steps:
        shown = step_schemas.shown(step, run.include)
        story.append(event(EventName.STEP_CREATED, shown))
        message = messages.get(_message_id(step))
        if message is not None:
            written = message_schemas.Message.model_validate(message)
            story.append(event(EventName.MESSAGE_CREATED, written))
            story.append(event(EventName.of_message(message.status), written))
        if step.status != StepStatus.IN_PROGRESS:
            story.append(event(EventName.of_step(step.status), shown))
    story.append(event(EventName.of_run(run.status), run_schemas.Run.model_validate(run)))
    return story
