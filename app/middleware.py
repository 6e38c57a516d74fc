"""What surrounds every request: its id, the clock, the access log, the limits on its body, and the last resort.

Pure ASGI: streams pass through untouched, and context variables hold in the route.
"""

import asyncio
import re
import time
from secrets import token_hex
from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import RequestTimeout, RequestTooLarge
from app.handlers import InternalError, answer
from app.ids import REQUEST
from app.schemas.uploads import MAX_PART_BYTES
from app.settings import Settings

log = structlog.get_logger()

_API_VERSION = "2020-10-01"

#: Bytes a second, of a body as a whole.
_SLOWEST: Final = 1024
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
                headers["x-content-type-options"] = "nosniff"
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
    """Refuses bodies that are too large, by what the client announces and by what comes, and those that do not come."""

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
        await self._app(scope, _Body(receive, limit, self._settings.client_timeout).receive, send)

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


class _Body:
    """The body of one request, as it comes."""

    def __init__(self, receive: Receive, limit: int, timeout: float) -> None:
        self._receive = receive
        self._limit = limit
        self._timeout = timeout
        self._read = 0
        self._complete = False
        self._waited = 0.0

    async def receive(self) -> Message:
        """The next message of the request. Raises RequestTooLarge, RequestTimeout.

        Each part must come within the time-out, and the body as a whole at `_SLOWEST` or faster; the time that the
        server takes in between does not count. After the body comes the client's leaving, which has no limit.
        """
        if self._complete:
            return await self._receive()
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout + min(0.0, self._read / _SLOWEST - self._waited)):
                message = await self._receive()
        except TimeoutError:
            raise RequestTimeout.of("body", self._timeout) from None
        self._waited += time.monotonic() - began
        self._complete = message["type"] != "http.request" or not message.get("more_body", False)
        self._read += len(message.get("body", b""))
        if self._read > self._limit:
            raise _too_large(self._limit)
        return message


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(f"The body of the request is over the limit of {limit} bytes.")
