"""Runs."""

from typing import Annotated, Any, Literal

from pydantic import Field

from app import ids
from app.schemas.common import (
    MAX_INT,
    Answer,
    Array,
    Json,
    Metadata,
    ModelName,
    RequestBody,
    StoredMetadata,
    Timestamp,
    array_of,
    by_type,
    id_of,
    shown_as,
    tag,
)
from app.schemas.messages import MessageCreate
from app.schemas.model_options import (
    Instructions,
    ModelOptions,
    ReasoningOptions,
    ShownResponseFormat,
    ShownTemperature,
    ShownTopP,
)
from app.schemas.response_format import stored_option
from app.schemas.threads import ThreadCreate
from app.schemas.tools import RunTools, ShownResources, ToolChoice, ToolResources

__all__ = [
    "Run",
    "RunCreate",
    "RunModify",
    "SubmitToolOutputs",
    "ThreadAndRunCreate",
    "stored_option",
    "stored_truncation_strategy",
]

AssistantId = Annotated[str, id_of(ids.ASSISTANT)]
TokenBudget = Annotated[int, Field(ge=256, le=MAX_INT)]


class AutoTruncation(RequestBody):
    type: Literal["auto"]
    last_messages: Annotated[int, Field(ge=1, le=MAX_INT)] | None = None


class LastMessagesTruncation(RequestBody):
    type: Literal["last_messages"]
    last_messages: Annotated[int, Field(ge=1, le=MAX_INT)]


TruncationStrategy = Annotated[
    Annotated[AutoTruncation, tag("auto")] | Annotated[LastMessagesTruncation, tag("last_messages")],
    by_type("auto", "last_messages"),
]


def stored_truncation_strategy(strategy: AutoTruncation | LastMessagesTruncation | None) -> Json:
    """The truncation strategy as it is stored and answered."""
    if isinstance(strategy, LastMessagesTruncation):
        return {"type": "last_messages", "last_messages": strategy.last_messages}
    return {"type": "auto", "last_messages": None}


class RunOptions(ModelOptions):
    """What a run may be told, whichever way it is made. Null leaves a thing to the assistant."""

    assistant_id: AssistantId
    model: ModelName | None = None
    tools: RunTools | None = None
    #: OpenAI had it for a run with its thread alone; Azure has it for every run.
    tool_resources: ToolResources | None = None
    metadata: Metadata | None = None
    stream: bool | None = None
    max_prompt_tokens: TokenBudget | None = None
    max_completion_tokens: TokenBudget | None = None
    truncation_strategy: TruncationStrategy | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None


class RunCreate(RunOptions, ReasoningOptions):
    additional_instructions: Instructions | None = None
    additional_messages: Annotated[Array[MessageCreate], array_of("objects")] | None = None


class ThreadAndRunCreate(RunOptions):
    thread: ThreadCreate | None = None


class RunModify(RequestBody):
    metadata: Metadata | None = None


class ToolOutput(RequestBody):
    tool_call_id: str | None = None
    output: str | None = None


class SubmitToolOutputs(RequestBody):
    tool_outputs: Annotated[Array[ToolOutput], array_of("objects")]
    stream: bool | None = None


Status = Literal[
    "queued",
    "in_progress",
    "requires_action",
    "cancelling",
    "cancelled",
    "failed",
    "completed",
    "incomplete",
    "expired",
]


class Run(Answer):
    id: str
    object: Literal["thread.run"] = "thread.run"
    created_at: Timestamp
    assistant_id: str
    thread_id: str
    status: Status
    started_at: Timestamp | None
    expires_at: Timestamp | None
    cancelled_at: Timestamp | None
    failed_at: Timestamp | None
    completed_at: Timestamp | None
    required_action: Json | None
    last_error: Json | None
    model: str
    #: Null where neither the run nor its assistant has any, as OpenAI sends it; its description has a string here.
    instructions: str | None
    tools: list[Json]
    tool_resources: ShownResources
    metadata: StoredMetadata
    temperature: ShownTemperature
    top_p: ShownTopP
    reasoning_effort: str | None
    max_completion_tokens: int | None
    max_prompt_tokens: int | None
    truncation_strategy: Json
    incomplete_details: Json | None
    usage: Json | None
    response_format: ShownResponseFormat
    tool_choice: Annotated[Any, shown_as("auto")]
    parallel_tool_calls: bool
