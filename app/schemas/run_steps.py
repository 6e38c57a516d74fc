"""Run steps."""

from typing import Literal, Self

from pydantic import Field, model_validator

from app.schemas.common import Answer, Json, StoredMetadata, Timestamp


class RunStep(Answer):
    id: str
    object: Literal["thread.run.step"] = "thread.run.step"
    created_at: Timestamp
    run_id: str
    assistant_id: str
    thread_id: str
    type: Literal["message_creation", "tool_calls"]
    status: Literal["in_progress", "cancelled", "failed", "completed", "expired"]
    cancelled_at: Timestamp | None
    completed_at: Timestamp | None
    expires_at: Timestamp | None
    expired_at: Timestamp | None
    failed_at: Timestamp | None
    last_error: Json | None
    step_details: Json
    usage: Json | None
    #: Nothing sets it: the API has no way to.
    metadata: StoredMetadata = Field(default_factory=dict)

    @model_validator(mode="after")
    def _usage_is_told_at_the_end(self) -> Self:
        """The row may know the usage before the step is over (contract, section 7)."""
        if self.status == "in_progress":
            self.usage = None
        return self
