"""Assistants."""

from typing import Annotated, Literal

from pydantic import Field

from app.schemas.common import Answer, Json, Metadata, ModelName, RequestBody, StoredMetadata, Timestamp
from app.schemas.model_options import (
    ModelOptions,
    ReasoningOptions,
    ShownResponseFormat,
    ShownTemperature,
    ShownTopP,
)
from app.schemas.tools import AssistantTools, NewToolResources, ShownResources, ToolResources

Name = Annotated[str, Field(max_length=256)]
Description = Annotated[str, Field(max_length=512)]


class _Described(RequestBody):
    name: Name | None = None
    description: Description | None = None
    tools: AssistantTools = Field(default_factory=list)
    metadata: Metadata | None = None


class AssistantCreate(_Described, ModelOptions, ReasoningOptions):
    model: ModelName
    tool_resources: NewToolResources | None = None


class AssistantModify(_Described, ModelOptions, ReasoningOptions):
    """What is left out stays as it is: read it with `model_fields_set`, not by the defaults."""

    model: ModelName = ""
    tool_resources: ToolResources | None = None


class Assistant(Answer):
    id: str
    object: Literal["assistant"] = "assistant"
    created_at: Timestamp
    name: str | None
    description: str | None
    model: str
    instructions: str | None
    tools: list[Json]
    top_p: ShownTopP
    temperature: ShownTemperature
    reasoning_effort: str | None
    tool_resources: ShownResources
    metadata: StoredMetadata
    response_format: ShownResponseFormat


class AssistantDeleted(Answer):
    id: str
    object: Literal["assistant.deleted"] = "assistant.deleted"
    deleted: Literal[True] = True
