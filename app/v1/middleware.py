"""Requests for v1 go in as requests for v2, and what is answered comes out as v1. Pure ASGI."""

from typing import Any

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.auth import Caller
from app.db.session import Sessions, enter, transaction
from app.json_body import TRANSLATION
from app.v1 import answers, requests, scope
from app.v1.events import EventTranslator
from app.v1.store_files import first_files


class V1Edge:
    """Stands between clients of v1 and the rest of Locum; others pass through untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, incoming: Scope, receive: Receive, send: Send) -> None:
        if not scope.asks_for_v1(incoming):
            await self._app(incoming, receive, send)
            return
        inner = scope.as_v2(incoming)
        translate = requests.translation(incoming["method"], incoming["path"])
        if translate is not None:
            inner[TRANSLATION] = translate
        outgoing = _Outgoing(incoming, send)
        await self._app(inner, receive, outgoing.take)
        await outgoing.finish()


class _Outgoing:
    """One answer: a stream is translated as it comes, anything else when it is whole."""

    def __init__(self, incoming: Scope, send: Send) -> None:
        self._scope = incoming
        self._send = send
        self._start: Message | None = None
        self._body = bytearray()
        self._files: dict[str, list[str]] = {}
        self._events: EventTranslator | None = None

    async def take(self, message: Message) -> None:
        """Takes what the application sends."""
        if message["type"] == "http.response.start":
            content_type = Headers(raw=message["headers"]).get("content-type", "")
            if content_type.startswith("text/event-stream"):
                self._events = EventTranslator(self._translated)
                await self._send(message)
            else:
                self._start = message
        elif self._events is not None:
            await self._stream(self._events, message)
        else:
            self._body += message.get("body", b"")

    async def _stream(self, events: EventTranslator, message: Message) -> None:
        more = message.get("more_body", False)
        body = await events.feed(message.get("body", b""))
        if not more:
            body += events.rest()
        if body or not more:
            await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def finish(self) -> None:
        """Sends what was held back. The application is done: what goes wrong here is answered as anywhere else."""
        if self._start is None:
            return
        body = bytes(self._body)
        headers = MutableHeaders(raw=self._start["headers"])
        if body and headers.get("content-type", "").startswith("application/json"):
            body = orjson.dumps(await self._translated(orjson.loads(body)))
            headers["content-length"] = str(len(body))
        await self._send({**self._start, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": body})

    async def _translated(self, value: Any) -> Any:
        """Files of stores are looked up once an answer: a run's do not change."""
        if wanted := answers.stores_of(value) - self._files.keys():
            sessions: Sessions = self._scope["app"].state.sessions
            async with transaction(sessions) as session:
                caller: Caller = self._scope["state"]["caller"]
                await enter(session, caller.project)
                found = await first_files(session, caller.project, wanted)
            self._files.update({store_id: found.get(store_id, []) for store_id in wanted})
        return answers.translate(value, self._files)
