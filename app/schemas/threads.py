"""Threads."""

from typing import Annotated, Literal

from pydantic import Field

from app.schemas.common import Answer, Array, Json, Metadata, RequestBody, StoredMetadata, Timestamp, array_of
from app.schemas.messages import MessageCreate
from app.schemas.tools import NewToolResources, ToolResources


class ThreadCreate(RequestBody):
    messages: Annotated[Array[MessageCreate], array_of("objects")] = Field(default_factory=list)
    tool_resources: NewToolResources | None = None
    metadata: Metadata | None = None


class ThreadModify(RequestBody):
    """What is left out stays as it is: read it with `model_fields_set`, not by the defaults."""

    tool_resources: ToolResources | None = None
    metadata: Metadata | None = None


class Thread(Answer):
    id: str
    object: Literal["thread"] = "thread"
    created_at: Timestamp
    metadata: StoredMetadata
    tool_resources: Json


class ThreadDeleted(Answer):
    id: str
    object: Literal["thread.deleted"] = "thread.deleted"
    deleted: Literal[True] = True
