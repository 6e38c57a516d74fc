"""Assistants."""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.schemas.common import (
    MAX_TEXT,
    Answer,
    Json,
    Metadata,
    ModelName,
    ReasoningEffort,
    RequestBody,
    StoredMetadata,
    Temperature,
    Timestamp,
    TopP,
    shown_as,
)
from app.schemas.response_format import ResponseFormat
from app.schemas.tools import AssistantTools, NewToolResources, ShownResources, ToolResources

Name = Annotated[str, Field(max_length=256)]
Description = Annotated[str, Field(max_length=512)]
Instructions = Annotated[str, Field(max_length=MAX_TEXT)]


class AssistantCreate(RequestBody):
    model: ModelName
    name: Name | None = None
    description: Description | None = None
    instructions: Instructions | None = None
    tools: AssistantTools = Field(default_factory=list)
    tool_resources: NewToolResources | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: ReasoningEffort | None = None


class AssistantModify(RequestBody):
    """What is left out stays as it is: read it with `model_fields_set`, not by the defaults."""

    model: ModelName = ""
    name: Name | None = None
    description: Description | None = None
    instructions: Instructions | None = None
    tools: AssistantTools = Field(default_factory=list)
    tool_resources: ToolResources | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: ReasoningEffort | None = None


class Assistant(Answer):
    id: str
    object: Literal["assistant"] = "assistant"
    created_at: Timestamp
    name: str | None
    description: str | None
    model: str
    instructions: str | None
    tools: list[Json]
    top_p: Annotated[float, shown_as(1.0)]
    temperature: Annotated[float, shown_as(1.0)]
    reasoning_effort: str | None
    tool_resources: ShownResources
    metadata: StoredMetadata
    response_format: Annotated[Any, shown_as("auto")]


class AssistantDeleted(Answer):
    id: str
    object: Literal["assistant.deleted"] = "assistant.deleted"
    deleted: Literal[True] = True
