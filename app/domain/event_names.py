"""The names of the events that a run's stream tells (contract, section 7)."""

from enum import StrEnum
from typing import Final

from app.domain.statuses import TERMINAL, RunStatus


class EventName(StrEnum):
    """All of them, but for `error` and `done`, which are no events of a run."""

    THREAD_CREATED = "thread.created"
    RUN_CREATED = "thread.run.created"
    RUN_QUEUED = "thread.run.queued"
    RUN_IN_PROGRESS = "thread.run.in_progress"
    RUN_REQUIRES_ACTION = "thread.run.requires_action"
    RUN_COMPLETED = "thread.run.completed"
    RUN_INCOMPLETE = "thread.run.incomplete"
    RUN_FAILED = "thread.run.failed"
    RUN_CANCELLING = "thread.run.cancelling"
    RUN_CANCELLED = "thread.run.cancelled"
    RUN_EXPIRED = "thread.run.expired"
    STEP_CREATED = "thread.run.step.created"
    STEP_IN_PROGRESS = "thread.run.step.in_progress"
    STEP_DELTA = "thread.run.step.delta"
    STEP_COMPLETED = "thread.run.step.completed"
    STEP_FAILED = "thread.run.step.failed"
    STEP_CANCELLED = "thread.run.step.cancelled"
    STEP_EXPIRED = "thread.run.step.expired"
    MESSAGE_CREATED = "thread.message.created"
    MESSAGE_IN_PROGRESS = "thread.message.in_progress"
    MESSAGE_DELTA = "thread.message.delta"
    MESSAGE_COMPLETED = "thread.message.completed"
    MESSAGE_INCOMPLETE = "thread.message.incomplete"

    @classmethod
    def of_run(cls, status: str) -> "EventName":
        """Returns the event that tells that a run has reached `status`."""
        return cls(f"thread.run.{status}")

    @classmethod
    def of_step(cls, status: str) -> "EventName":
        """Returns the event that tells that a step has reached `status`, or was created."""
        return cls(f"thread.run.step.{status}")

    @classmethod
    def of_message(cls, status: str) -> "EventName":
        """Returns the event that tells that a message has reached `status`."""
        return cls(f"thread.message.{status}")


#: After one of these a run will change no more.
TERMINAL_EVENTS: Final = frozenset(map(EventName.of_run, TERMINAL))
#: After one of these a run's stream is over: the run has ended, or pauses for tool outputs.
ENDINGS: Final = TERMINAL_EVENTS | {EventName.of_run(RunStatus.REQUIRES_ACTION)}
