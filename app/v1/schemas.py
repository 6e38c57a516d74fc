"""What only v1 has: the files of assistants and messages as objects."""

from typing import Literal

from pydantic import Field

from app.schemas.assistants import AssistantModify
from app.schemas.common import Answer, RequestBody, Timestamp
from app.schemas.tools import FileIds


class AssistantChange(AssistantModify):
    """As in v2; `file_ids`, checked before, stand for the tool resources."""

    file_ids: FileIds = Field(default_factory=list)


class AssistantFileCreate(RequestBody):
    file_id: str


class AssistantFile(Answer):
    id: str
    object: Literal["assistant.file"] = "assistant.file"
    created_at: Timestamp
    assistant_id: str


class AssistantFileDeleted(Answer):
    id: str
    object: Literal["assistant.file.deleted"] = "assistant.file.deleted"
    deleted: Literal[True] = True


class MessageFile(Answer):
    id: str
    object: Literal["thread.message.file"] = "thread.message.file"
    created_at: Timestamp
    message_id: str
