"""Answers that are still being sent when their key ends: streams of events, long downloads.

A request's key is looked at when it comes. An answer that goes on for longer is in a list of this process, and the keys
of that list are looked at again, all in one statement, every other second. It needs nothing but the database: whether
Redis is there or not, an answer ends within seconds of its key's revocation or expiry, or of its project's end. Where
the database is away, nobody can know; the answers go on until it is back.
"""

import asyncio
from typing import Any, Final

import orjson
import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.auth import Caller
from app.db.session import Sessions, autocommit
from app.errors import AuthenticationError, in_brief
from app.events import DONE
from app.services import api_keys

log = structlog.get_logger()

_LOOK_SECONDS: Final = 2.0
_ENDED: Final = AuthenticationError(
    "The API key of this request has been revoked or has expired.", code="invalid_api_key"
)


class _Answer:
    """One answer, from its first bytes on until its last."""

    def __init__(self, caller: Caller, end: asyncio.Timeout) -> None:
        self.caller = caller
        self._end = end

    def cut(self) -> None:
        """Ends the answer where it is."""
        if not self._end.expired():
            self._end.reschedule(asyncio.get_running_loop().time())


class OpenAnswers:
    """Those of one process."""

    def __init__(self) -> None:
        self._open: set[_Answer] = set()

    def add(self, answer: _Answer) -> None:
        self._open.add(answer)

    def drop(self, answer: _Answer) -> None:
        self._open.discard(answer)

    async def watch_for_ever(self, sessions: Sessions) -> None:
        """Cuts the answers of keys that have ended."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self._look(sessions)
            except (SQLAlchemyError, OSError) as error:
                log.warning("keys_not_looked_at", error=in_brief(error))

    async def _look(self, sessions: Sessions) -> None:
        asked = {answer.caller.key_id for answer in self._open}
        if not asked:
            return
        async with autocommit(sessions) as session:
            good = await api_keys.still_good(session, asked)
        for answer in list(self._open):
            if answer.caller.key_id in asked - good:
                answer.cut()


class EndWithKey:
    """Has answers end with their keys. Pure ASGI."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(None) as end:
                sending = _Sending(scope, send, end)
                try:
                    await self._app(scope, receive, sending.send)
                finally:
                    sending.finish()
        except TimeoutError:
            if not end.expired():
                raise
            log.info("answer_cut", method=scope["method"], path=scope["path"])
            await sending.say_why()


class _Sending:
    def __init__(self, scope: Scope, send: Send, end: asyncio.Timeout) -> None:
        self._scope = scope
        self._send = send
        self._end = end
        self._is_stream = False
        self._answer: _Answer | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            content_type = Headers(raw=message["headers"]).get("content-type", "")
            self._is_stream = content_type.startswith("text/event-stream")
        elif self._answer is None and message.get("more_body", False):
            self._begin()
        await self._send(message)

    def _begin(self) -> None:
        caller: Any = self._scope["state"].get("caller")
        if isinstance(caller, Caller):
            self._answer = _Answer(caller, self._end)
            self._open.add(self._answer)

    @property
    def _open(self) -> OpenAnswers:
        answers: OpenAnswers = self._scope["app"].state.open_answers
        return answers

    def finish(self) -> None:
        if self._answer is not None:
            self._open.drop(self._answer)

    async def say_why(self) -> None:
        """Ends a stream of events with an error, which clients raise. Any other answer breaks off: it is cut by the
        server that finds it unfinished."""
        if not self._is_stream:
            return
        body = _ENDED.body()
        event = b"\n\nevent: error\ndata: %s\n\n" % orjson.dumps(body | body["error"])
        await self._send({"type": "http.response.body", "body": event + DONE})
