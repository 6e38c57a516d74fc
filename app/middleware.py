"""What surrounds every request: its id, the clock, the access log, the limit on its body, and the last resort.

Pure ASGI: streams pass through untouched, and context variables hold in the route.
"""

import re
import time
from secrets import token_hex
from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import RequestTooLarge
from app.handlers import InternalError, answer
from app.ids import REQUEST
from app.schemas.uploads import MAX_PART_BYTES
from app.settings import Settings

log = structlog.get_logger()

_API_VERSION = "2020-10-01"

#: Of a form, besides its file.
_FORM_BYTES: Final = 2**20
_UPLOAD_PARTS: Final = re.compile(r"/v1/uploads/[^/]+/parts")


class RequestContext:
    """Gives each request its id and its headers (contract, section 1.2), logs it, and answers what nobody caught."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = f"{REQUEST}_{token_hex(16)}"
        # For what is known before there is an answer: dependencies reach it as `request.state`.
        added: dict[str, str] = {}
        scope.setdefault("state", {})["answer_headers"] = added
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.update(added)
                headers["x-request-id"] = request_id
                headers["openai-version"] = _API_VERSION
                headers["openai-processing-ms"] = str(round((time.perf_counter() - began) * 1000))
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_headers)
            except ClientDisconnect:
                log.info("client_disconnected")
            except Exception:
                log.exception("request_failed", method=scope["method"], path=scope["path"])
                if status:
                    raise
                await answer(InternalError(request_id))(scope, receive, send_with_headers)
            finally:
                seconds = time.perf_counter() - began
                log.info(
                    "request", method=scope["method"], path=scope["path"], status=status, ms=round(seconds * 1000, 1)
                )


class BodyLimit:
    """Refuses bodies that are too large, by what the client announces and by what comes."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit, headers = self._limit(scope)
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > limit:
            await answer(_too_large(limit), headers)(scope, receive, send)
            return
        read = 0

        async def receive_at_most() -> Message:
            nonlocal read
            message = await receive()
            if message["type"] == "http.request":
                read += len(message.get("body", b""))
                if read > limit:
                    raise _too_large(limit)
            return message

        await self._app(scope, receive_at_most, send)

    def _limit(self, scope: Scope) -> tuple[int, dict[str, str]]:
        """The limit for a request, and what an answer says that comes before the body.

        Clients send a file to its end before they read: were the connection closed, they would never see the answer.
        The server reads on, then, and throws away what comes.
        """
        path = scope["path"]
        if scope["method"] == "POST" and path == "/v1/files":
            return self._settings.max_file_bytes + _FORM_BYTES, {}
        if scope["method"] == "POST" and _UPLOAD_PARTS.fullmatch(path):
            return MAX_PART_BYTES + _FORM_BYTES, {}
        return self._settings.max_body_bytes, {"connection": "close"}


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(f"The body of the request is over the limit of {limit} bytes.")
