"""The statuses of everything that has one, and how a run goes from one to the next (contract, section 6)."""

from enum import StrEnum
from typing import Final


class RunStatus(StrEnum):
    """The statuses of runs.

    queued ──▶ in_progress ──▶ completed | incomplete | failed
      ▲  │       │   │  └────▶ expired
      │  │       │   ▼
      │  │       │  requires_action ──▶ expired
      │  │       │   │      │
      └──┼───────┼───┘      │ (tool outputs submitted)
         ▼       ▼          ▼
        cancelling ◀────────┘          queued ──▶ expired, failed
             └──▶ cancelled
    """

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    REQUIRES_ACTION = "requires_action"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


#: What may follow each status of a run.
TRANSITIONS: Final[dict[str, frozenset[RunStatus]]] = {
    RunStatus.QUEUED: frozenset(
        {RunStatus.IN_PROGRESS, RunStatus.CANCELLING, RunStatus.EXPIRED, RunStatus.FAILED},
    ),
    RunStatus.IN_PROGRESS: frozenset(
        {
            RunStatus.REQUIRES_ACTION,
            RunStatus.COMPLETED,
            RunStatus.INCOMPLETE,
            RunStatus.FAILED,
            RunStatus.CANCELLING,
            RunStatus.EXPIRED,
        }
    ),
    RunStatus.REQUIRES_ACTION: frozenset({RunStatus.QUEUED, RunStatus.CANCELLING, RunStatus.EXPIRED}),
    RunStatus.CANCELLING: frozenset({RunStatus.CANCELLED}),
    RunStatus.COMPLETED: frozenset(),
    RunStatus.INCOMPLETE: frozenset(),
    RunStatus.FAILED: frozenset(),
    RunStatus.CANCELLED: frozenset(),
    RunStatus.EXPIRED: frozenset(),
}
#: A thread with a run in one of these takes no message and no second run.
ACTIVE: Final = tuple(RunStatus(status) for status, following in TRANSITIONS.items() if following)
TERMINAL: Final = tuple(RunStatus(status) for status, following in TRANSITIONS.items() if not following)
#: A run in one of these is in the hands of a worker.
AT_WORK: Final = (RunStatus.IN_PROGRESS, RunStatus.CANCELLING)


class StepStatus(StrEnum):
    """The statuses of run steps."""

    IN_PROGRESS = "in_progress"
    CANCELLED = "cancelled"
    FAILED = "failed"
    COMPLETED = "completed"
    EXPIRED = "expired"


class MessageStatus(StrEnum):
    """The statuses of messages."""

    IN_PROGRESS = "in_progress"
    INCOMPLETE = "incomplete"
    COMPLETED = "completed"


class FileStatus(StrEnum):
    """The statuses of files in a vector store, and of batches of them."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StoreStatus(StrEnum):
    """The statuses of vector stores."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    EXPIRED = "expired"


class UploadStatus(StrEnum):
    """The statuses of uploads."""

    PENDING = "pending"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
