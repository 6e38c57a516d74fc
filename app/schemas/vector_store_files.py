"""Files in vector stores."""

from numbers import Real
from typing import Annotated, Literal

from pydantic import Field

from app.schemas.chunking import ChunkingStrategy
from app.schemas.common import Answer, Json, MetadataKey, MetadataValue, RequestBody, Timestamp, by_shape, tag

AttributeValue = Annotated[
    Annotated[bool, tag("flag")] | Annotated[int | float, tag("number")] | Annotated[MetadataValue, tag("text")],
    by_shape("one of a string, decimal, or boolean", flag=bool, number=Real, text=str),
]
#: As metadata, with numbers and booleans besides strings (contract, section 4).
Attributes = Annotated[dict[MetadataKey, AttributeValue], Field(max_length=16)]

Status = Literal["in_progress", "completed", "failed", "cancelled"]


class VectorStoreFileCreate(RequestBody):
    file_id: str
    attributes: Attributes | None = None
    chunking_strategy: ChunkingStrategy | None = None


class VectorStoreFileModify(RequestBody):
    attributes: Attributes | None


class LastError(Answer):
    code: Literal["server_error", "unsupported_file", "invalid_file"]
    message: str


class VectorStoreFile(Answer):
    id: str
    object: Literal["vector_store.file"] = "vector_store.file"
    usage_bytes: int
    created_at: Timestamp
    vector_store_id: str
    status: Status
    last_error: LastError | None
    chunking_strategy: Json
    attributes: Json


class VectorStoreFileDeleted(Answer):
    id: str
    object: Literal["vector_store.file.deleted"] = "vector_store.file.deleted"
    deleted: Literal[True] = True


class FileContentPart(Answer):
    type: Literal["text"] = "text"
    text: str


class FileContentPage(Answer):
    """The text of a file, as it was parsed: one page with one part."""

    object: Literal["vector_store.file_content.page"] = "vector_store.file_content.page"
    data: list[FileContentPart]
    has_more: Literal[False] = False
    next_page: None = None
