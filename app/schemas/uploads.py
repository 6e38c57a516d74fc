"""Uploads: files that come in parts."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field

from app.schemas.common import Answer, Array, RequestBody, Timestamp, array_of
from app.schemas.files import File, FileExpiresAfter, Filename, Purpose

MAX_PART_BYTES: Final = 64 * 2**20
MAX_UPLOAD_BYTES: Final = 8 * 2**30
MAX_PARTS: Final = 10_000


class UploadCreate(RequestBody):
    filename: Filename
    purpose: Purpose
    bytes: Annotated[int, Field(ge=1, le=MAX_UPLOAD_BYTES)]
    mime_type: Annotated[str, Field(min_length=1, max_length=256)]
    expires_after: FileExpiresAfter | None = None


class UploadComplete(RequestBody):
    """`part_ids` in the order in which the parts make the file."""

    part_ids: Annotated[Array[str], Field(min_length=1, max_length=MAX_PARTS), array_of("strings")]
    md5: Annotated[str, Field(pattern="^[0-9a-fA-F]{32}$")] | None = None


class Upload(Answer):
    id: str
    object: Literal["upload"] = "upload"
    bytes: int
    created_at: Timestamp
    filename: str
    purpose: str
    status: Literal["pending", "completed", "cancelled", "expired"]
    expires_at: Timestamp
    file: File | None = None

    @classmethod
    def completed(cls, upload: Any, file: Any) -> Self:
        """An upload with the file that it has become."""
        return cls.model_validate(upload).model_copy(update={"file": File.model_validate(file)})


class UploadPart(Answer):
    id: str
    object: Literal["upload.part"] = "upload.part"
    created_at: Timestamp
    upload_id: str
