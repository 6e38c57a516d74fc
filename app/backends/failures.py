"""What a model server's troubles become: a `BackendFailure` with the server's own words."""

import email.utils
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from app.backends import lenient_json
from app.backends.base import BackendFailure, FailureCode
from app.text import storable, to_json

_MAX_WORDS = 500
#: Of what is looked through for what the server wants.
_MAX_FULL_WORDS = 8000
_RETRIED_STATUSES = frozenset({408, 409, 429})


class Retryable(BackendFailure):
    """A failure that may pass by itself. `after`: seconds that the server asks to be left alone for."""

    def __init__(self, code: FailureCode, message: str, after: float | None = None) -> None:
        super().__init__(code, message)
        self.after = after


class Silence(Retryable):
    """The server took the request and then sent nothing for too long."""


@dataclass(frozen=True, slots=True)
class ServerError:
    """An error as a server tells it: in words, with OpenAI's `type`, `param` and `code` where it gives them."""

    words: str
    type: str | None = None
    param: str | None = None
    code: str | None = None
    #: All of the words, where they are more than are shown.
    full: str = ""
    #: llama.cpp's: the tokens of its context window, and of the prompt.
    n_ctx: int | None = None
    n_prompt_tokens: int | None = None

    @classmethod
    def from_body(cls, body: bytes) -> "ServerError":
        """Reads OpenAI's envelope, FastAPI's `detail`, the `message` or `error` of others, or plain text."""
        try:
            return cls.from_json(lenient_json.loads(body))
        except ValueError:
            text = body.decode(errors="replace").strip()
            return cls("" if text.startswith("<") else _bounded(text), full=_full(text))

    @classmethod
    def from_json(cls, value: Any) -> "ServerError":
        """The same, from parsed JSON."""
        if isinstance(value, list) and value:  # Gemini's servers put the envelope into a list
            value = value[0]
        error = value.get("error") if isinstance(value, dict) else None
        if not isinstance(error, dict):
            said = error or value.get("message") or value.get("detail") or value if isinstance(value, dict) else value
            return cls(_words(said), full=_full(to_json(value).decode()))
        return cls(
            words=_words(error.get("message") or error),
            type=_name(error.get("type")),
            param=_name(error.get("param")),
            code=_name(error.get("code")),
            full=_full(_words(error.get("message") or error, _MAX_FULL_WORDS) + _raw(error)),
            n_ctx=_number(error.get("n_ctx")),
            n_prompt_tokens=_number(error.get("n_prompt_tokens")),
        )

    @property
    def is_quota(self) -> bool:
        """Whether the account behind the key has nothing left, which no waiting mends."""
        return "insufficient_quota" in (self.code, self.type)


def _name(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and value != "" else None


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _raw(error: dict[str, Any]) -> str:
    """What OpenRouter's `metadata` says that the provider behind it has said."""
    metadata = error.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    return f" {raw}" if isinstance(raw, str) else ""


def _full(text: str) -> str:
    return _bounded(text, _MAX_FULL_WORDS)


def _words(value: Any, most: int = _MAX_WORDS) -> str:
    if isinstance(value, list):  # FastAPI's validation errors
        return _bounded("; ".join(_validation_error(item) for item in value), most)
    return _bounded(value if isinstance(value, str) else to_json(value).decode(), most)


def _validation_error(item: Any) -> str:
    if not isinstance(item, dict) or "msg" not in item:
        return str(item)
    where = item.get("loc")
    return f"{'.'.join(map(str, where))}: {item['msg']}" if isinstance(where, list) else str(item["msg"])


def _bounded(text: str, most: int = _MAX_WORDS) -> str:
    text = re.sub(r"\s+", " ", storable(text)).strip()
    return text if len(text) <= most else text[: most - 1] + "…"


def failure_of(status: int, error: ServerError, headers: Mapping[str, str]) -> BackendFailure:
    """The failure that an answer with an error status is; `Retryable` for 408, 409, 429 and 5xx."""
    message = (
        f"The model server answered {status}: {error.words}" if error.words else f"The model server answered {status}."
    )
    code = code_of(status)
    if (status in _RETRIED_STATUSES or status >= 500) and not error.is_quota:
        return Retryable(code, message, retry_after(headers))
    return BackendFailure(code, message)


def failure_of_connection(error: aiohttp.ClientError | OSError) -> Retryable:
    """The failure that a connection's trouble is; in words without the address, which is the operator's business."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        why = "it took too long to connect."
    elif isinstance(error, TimeoutError):
        return Silence("server_error", "The model server sent nothing for too long.")
    elif isinstance(error, aiohttp.ClientConnectorDNSError):
        why = "its name is not known."
    elif isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        why = "no trusted connection could be made."
    elif isinstance(error, aiohttp.ClientConnectorError):
        why = f"{os.strerror(error.errno) if error.errno else 'no connection could be made'}."
    else:
        return Retryable("server_error", "The model server closed the connection before its answer was complete.")
    return Retryable("server_error", f"The model server cannot be reached: {why}")


def code_of(status: int | str | None) -> FailureCode:
    """The `last_error.code` for an HTTP status (or for the same number or OpenAI's word in an error's `code`)."""
    if status in (429, "429", "rate_limit_exceeded", "rate_limit_error", "insufficient_quota"):
        return "rate_limit_exceeded"
    if status in (400, 413, 422, "400", "413", "422", "invalid_request_error", "context_length_exceeded"):
        return "invalid_prompt"
    return "server_error"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds of `retry-after-ms` or `Retry-After` (seconds or a date), None without them or without sense."""
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        value = headers.get("retry-after", "")
        if re.fullmatch(r"\s*\d+(\.\d+)?\s*", value):
            return float(value)
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def malformed(what: str, sample: bytes = b"") -> BackendFailure:
    """An answer that cannot be read; the start of it goes into the message."""
    shown = storable(sample[:200].decode(errors="replace"))
    return BackendFailure("server_error", f"The model server sent {what}" + (f": {shown}" if shown else "."))
