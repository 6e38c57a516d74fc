"""What every request to the host must pass before a byte of its body is read: the token, and a limit on the body."""

import hmac
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.settings import SandboxSettings
from sandbox.errors import BodyTooLarge, SandboxError, Unauthorized
from sandbox.routes import MAX_CODE_CHARACTERS, sandbox_error

#: JSON may write a character as two escapes of six bytes each.
_MAX_JSON_BYTES: Final = 12 * MAX_CODE_CHARACTERS + 2**16


class Door:
    """Lets requests through that show the token; `/healthz` wants none, and takes no body."""

    def __init__(self, app: ASGIApp, settings: SandboxSettings) -> None:
        self._app = app
        self._token = f"Bearer {settings.required_sandbox_token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            if scope["path"] != "/healthz":
                self._authenticate(headers)
            if _is_file(scope):  # which is written as it comes, with limits of its own (sandbox.files)
                await self._app(scope, receive, send)
                return
            announced = headers.get("content-length", "")
            if announced.isdecimal() and int(announced[:20]) > _MAX_JSON_BYTES:
                raise _too_large()
        except SandboxError as error:
            answer = sandbox_error(error)
            # Uvicorn would read on, to the end of whatever comes.
            answer.headers["connection"] = "close"
            await answer(scope, receive, send)
            return
        await self._app(scope, _Limited(receive).receive, send)

    def _authenticate(self, headers: Headers) -> None:
        shown = headers.get("authorization", "").encode(errors="replace")
        if not hmac.compare_digest(shown, self._token):
            raise Unauthorized("The bearer token is not the one of LOCUM_SANDBOX_TOKEN.")


def _is_file(scope: Scope) -> bool:
    return scope["method"] == "PUT" and "/files/" in scope["path"]


def _too_large() -> BodyTooLarge:
    return BodyTooLarge(f"The body of the request is over the limit of {_MAX_JSON_BYTES} bytes.")


class _Limited:
    """The body of a request that did not say how long it is."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._read = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._read += len(message.get("body", b""))
        if self._read > _MAX_JSON_BYTES:
            raise _too_large()
        return message
