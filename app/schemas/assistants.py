"""Assistants."""

from typing import Annotated, Literal

from pydantic import Field

from app.schemas.common import Answer, Metadata, ModelName, RequestBody
from app.schemas.model_options import Configured, ModelOptions, ReasoningOptions
from app.schemas.tools import AssistantTools, NewToolResources, ToolResources

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


class Assistant(Configured):
    object: Literal["assistant"] = "assistant"
    name: str | None
    description: str | None


class AssistantDeleted(Answer):
    id: str
    object: Literal["assistant.deleted"] = "assistant.deleted"
    deleted: Literal[True] = True
