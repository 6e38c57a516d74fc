"""Run steps."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from app.schemas.common import Answer, Json, StoredMetadata, Timestamp

#: What `include[]` may ask for: the text of what a search has found.
RESULT_CONTENT: Final = "step_details.tool_calls[*].file_search.results[*].content"
Include = Literal["step_details.tool_calls[*].file_search.results[*].content"]

#: What a stored call has beyond the contract's object.
_PRIVATE: Final = frozenset({"arguments", "unasked", "done", "untold", "output", "files", "starts", "upstream"})


def _with_content(details: Any) -> Any:
    """Step details as clients see them, with the text of search results."""
    if "tool_calls" not in details:
        return details
    return {**details, "tool_calls": [shown_call(call) for call in details["tool_calls"]]}


def shown_call(call: Json) -> Json:
    """A stored call as clients see it."""
    return {name: value for name, value in call.items() if name not in _PRIVATE}


def _without_content(details: Any) -> Any:
    """The same without that text, which is told only where it is asked for (contract, section 5)."""
    shown = _with_content(details)
    if "tool_calls" not in shown:
        return shown
    return {**shown, "tool_calls": [_without_text(call) for call in shown["tool_calls"]]}


def _without_text(call: Json) -> Json:
    if call["type"] != "file_search":
        return call
    search = call["file_search"]
    results = [{name: value for name, value in result.items() if name != "content"} for result in search["results"]]
    return {**call, "file_search": {**search, "results": results}}


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
    step_details: Annotated[Json, BeforeValidator(_without_content)]
    usage: Json | None
    #: Nothing sets it: the API has no way to.
    metadata: StoredMetadata = Field(default_factory=dict)

    @model_validator(mode="after")
    def _usage_is_told_at_the_end(self) -> Self:
        """The row may know the usage before the step is over (contract, section 7)."""
        if self.status == "in_progress":
            self.usage = None
        return self


class RunStepWithContent(RunStep):
    step_details: Annotated[Json, BeforeValidator(_with_content)]


def shown(step: object, include: Sequence[str] | None) -> RunStep:
    """The answer for a step's row, with what `include` asks for."""
    kind = RunStepWithContent if include and RESULT_CONTENT in include else RunStep
    return kind.model_validate(step)
