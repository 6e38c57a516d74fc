"""Messages, and the parts of their content."""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.schemas.common import (
    MAX_TEXT,
    Answer,
    Array,
    Json,
    Metadata,
    RequestBody,
    StoredMetadata,
    Timestamp,
    array_of,
    by_shape,
    by_type,
    tag,
)
from app.schemas.tools import CodeInterpreterTool, FileSearchToolTypeOnly

Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
Detail = Literal["auto", "low", "high"]


class TextPart(RequestBody):
    """Text is a plain string in requests, and an object with annotations in answers (contract, section 5)."""

    type: Literal["text"]
    text: Text


class ImageFile(RequestBody):
    file_id: str
    detail: Detail = "auto"


class ImageFilePart(RequestBody):
    type: Literal["image_file"]
    image_file: ImageFile


class ImageUrl(RequestBody):
    #: An address on the web, or the image itself as a data URL.
    url: Annotated[str, Field(pattern=r"^(https?://|data:image/)\S+$", json_schema_extra={"format": "uri"})]
    detail: Detail = "auto"


class ImageUrlPart(RequestBody):
    type: Literal["image_url"]
    image_url: ImageUrl


ContentPart = Annotated[
    Annotated[TextPart, tag("text")]
    | Annotated[ImageUrlPart, tag("image_url")]
    | Annotated[ImageFilePart, tag("image_file")],
    by_type("text", "image_url", "image_file"),
]
Content = Annotated[
    Annotated[Text, tag("text")] | Annotated[Array[ContentPart], Field(min_length=1), tag("parts")],
    by_shape("one of a string or array of objects", text=str, parts=list),
]


def content_parts(content: str | list[TextPart | ImageUrlPart | ImageFilePart]) -> list[Json]:
    """Content as it is stored and answered: a string is one part of text; the default detail is told."""
    if isinstance(content, str):
        return [_stored_text(content)]
    return [_stored_text(part.text) if isinstance(part, TextPart) else part.model_dump() for part in content]


def image_files(content: str | list[TextPart | ImageUrlPart | ImageFilePart]) -> list[str]:
    """The ids of the files that content shows."""
    return (
        []
        if isinstance(content, str)
        else [part.image_file.file_id for part in content if isinstance(part, ImageFilePart)]
    )


def image_urls(content: str | list[TextPart | ImageUrlPart | ImageFilePart]) -> list[tuple[int, str]]:
    """The addresses of the images that content shows, with their places among its parts."""
    if isinstance(content, str):
        return []
    return [(place, part.image_url.url) for place, part in enumerate(content) if isinstance(part, ImageUrlPart)]


def _stored_text(value: str) -> Json:
    return {"type": "text", "text": {"value": value, "annotations": []}}


AttachmentTool = Annotated[
    Annotated[CodeInterpreterTool, tag("code_interpreter")] | Annotated[FileSearchToolTypeOnly, tag("file_search")],
    by_type("code_interpreter", "file_search"),
]


class Attachment(RequestBody):
    file_id: str
    tools: Annotated[Array[AttachmentTool], Field(min_length=1), array_of("objects")]


class MessageCreate(RequestBody):
    role: Literal["user", "assistant"]
    content: Content
    attachments: Annotated[Array[Attachment], array_of("objects")] | None = None
    metadata: Metadata | None = None


class MessageModify(RequestBody):
    metadata: Metadata | None = None


class Message(Answer):
    id: str
    object: Literal["thread.message"] = "thread.message"
    created_at: Timestamp
    assistant_id: str | None
    thread_id: str
    run_id: str | None
    status: Literal["in_progress", "incomplete", "completed"]
    incomplete_details: Json | None
    completed_at: Timestamp | None
    incomplete_at: Timestamp | None
    role: Literal["user", "assistant"]
    content: list[dict[str, Any]]
    attachments: list[Json]
    metadata: StoredMetadata


class MessageDeleted(Answer):
    id: str
    object: Literal["thread.message.deleted"] = "thread.message.deleted"
    deleted: Literal[True] = True
