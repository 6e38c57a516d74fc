"""Files."""

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field

from app.errors import InvalidRequest
from app.schemas.common import Answer, Json, RequestBody, Timestamp

#: What clients may upload files for, in the order that OpenAI's message has; Locum itself makes `assistants_output`.
PURPOSES: Final = ("fine-tune", "assistants", "batch", "user_data", "vision", "evals")
MAX_FILENAME: Final = 1024

#: The fields of the form besides the file, by their names there; the dots are those of their places in the body.
FORM_FIELDS: Final = {
    "purpose": "purpose",
    "filename": "filename",  # azure-ai-agents, where the file itself has no name
    "expires_after[anchor]": "expires_after.anchor",
    "expires_after[seconds]": "expires_after.seconds",
}


def _check_purpose(value: str) -> str:
    """Refuses in words of its own, as OpenAI does here (contract, section 11)."""
    if value not in PURPOSES:
        message = f"'{value[:100]}' is not one of {list(PURPOSES)} - 'purpose'"
        raise InvalidRequest(message, param="purpose")
    return value


Purpose = Annotated[str, AfterValidator(_check_purpose)]
Filename = Annotated[str, Field(min_length=1, max_length=MAX_FILENAME)]


class FileExpiresAfter(RequestBody):
    anchor: Literal["created_at"]
    seconds: Annotated[int, Field(ge=3600, le=2_592_000)]


class FileCreate(RequestBody):
    """What a form says of its file."""

    purpose: Purpose
    filename: Filename
    expires_after: FileExpiresAfter | None = None


def form_body(fields: dict[str, str]) -> Json:
    """The fields of a form as the JSON object that they stand for."""
    body: Json = {}
    for name, value in fields.items():
        *parents, key = FORM_FIELDS.get(name, name).split(".")
        place: dict[str, Any] = body
        for parent in parents:
            place = place.setdefault(parent, {})
        place[key] = _integer(value) if key == "seconds" else value
    return body


def _integer(value: str) -> int | str:
    return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else value


class File(Answer):
    object: Literal["file"] = "file"
    id: str
    purpose: str
    filename: str
    bytes: int
    created_at: Timestamp
    expires_at: Timestamp | None
    status: str
    status_details: str | None


class FileDeleted(Answer):
    """Unlike other objects, a deleted file is called what it was (contract, section 4)."""

    id: str
    object: Literal["file"] = "file"
    deleted: Literal[True] = True
