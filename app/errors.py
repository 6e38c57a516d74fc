"""The errors Locum answers with, each with its HTTP status and OpenAI's `type`, `param` and `code`.

    APIError                        any answer with OpenAI's error envelope
    ├─ InvalidRequest      400      the request is wrong, or wrong for the state of things
    │  └─ StorageFull               no room for more files of the project
    ├─ AuthenticationError 401
    ├─ PermissionDenied    403      the key is good, and not for this
    ├─ NotFound            404      missing, or of another project: the same answer
    ├─ RequestTooLarge     413
    ├─ RateLimited         429
    └─ ServiceUnavailable  503

Services raise them and know nothing of HTTP. Never 409: OpenAI's clients retry it (contract, section 1.2).
"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar


def in_brief(error: BaseException) -> str:
    """Returns the first line of an error's message for the log, or its type's name where the message is empty."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


class APIError(Exception):
    """An error with an answer. `message` is for the client's developer and must not hold secrets or traces."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code

    def body(self) -> dict[str, Any]:
        """OpenAI's envelope; all four keys are always there (contract, section 1.3)."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    @property
    def headers(self) -> dict[str, str]:
        """Headers that belong to the answer."""
        return {}


class InvalidRequest(APIError):
    status = 400
    type = "invalid_request_error"


class StorageFull(InvalidRequest):
    """The project has no room for more bytes. OpenAI answers so when an organization's storage is full."""

    @classmethod
    def of(cls, limit: int) -> "StorageFull":
        """The answer where a project may have `limit` bytes."""
        return cls(
            f"You have exceeded your file storage quota. The files of this project may have {limit:,} bytes in all."
            " Delete files that are no longer needed, or try a smaller file."
        )


class AuthenticationError(APIError):
    status = 401
    type = "invalid_request_error"


class PermissionDenied(APIError):
    status = 403
    type = "invalid_request_error"

    @classmethod
    def lacking(cls, scope: str) -> "PermissionDenied":
        """The answer for a key without the scope that a request wants; in OpenAI's words for its restricted keys."""
        message = f"You have insufficient permissions for this operation. Missing scopes: {scope}."
        return cls(message, code="missing_scope")


class NotFound(APIError):
    """No such object, as far as this project can see (contract, section 12)."""

    status = 404
    type = "invalid_request_error"

    #: How OpenAI's message names each kind of object.
    NOUNS: ClassVar[dict[str, str]] = {
        "assistants": "assistant",
        "threads": "thread",
        "messages": "message",
        "runs": "run",
        "run_steps": "run step",
        "uploads": "upload",
        "upload_parts": "upload part",
        "vector_stores": "vector store",
        "vector_store_files": "file",
        "vector_store_file_batches": "file batch",
    }

    @classmethod
    def of(cls, table: str, object_id: str) -> "NotFound":
        """The answer for an id of `table` that is not there; for files it has words of its own."""
        if table == "files":
            return cls(f"No such File object: {object_id}", param="id")
        return cls(f"No {cls.NOUNS[table]} found with id '{object_id}'.")


class RequestTimeout(APIError):
    """The client did not send its request in time. OpenAI's clients send it again."""

    status = 408
    type = "invalid_request_error"

    @classmethod
    def of(cls, part: str, seconds: float) -> "RequestTimeout":
        """The answer for a `part` (head or body) that did not come within `seconds`."""
        return cls(f"The {part} of the request did not come in time: nothing more for {seconds:g} seconds.")

    @property
    def headers(self) -> dict[str, str]:
        return {"connection": "close"}


class RequestTooLarge(APIError):
    status = 413
    type = "invalid_request_error"


class RateLimited(APIError):
    """Too much at once; in `retry_after` seconds there will be room again."""

    status = 429
    type = "requests"

    def __init__(self, message: str, *, retry_after: float, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message, code="rate_limit_exceeded")
        self._headers = {
            **(headers or {}),
            "retry-after": str(max(1, math.ceil(retry_after))),
            "retry-after-ms": str(max(1, math.ceil(retry_after * 1000))),
        }

    @property
    def headers(self) -> dict[str, str]:
        return self._headers


class ServiceUnavailable(APIError):
    status = 503
    type = "server_error"

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        return {"retry-after": str(self.retry_after)}
