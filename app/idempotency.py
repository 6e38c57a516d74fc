"""`Idempotency-Key`: a POST that comes again under the same key gets the first one's answer, and makes nothing anew.

The key's row is inserted once the request's project is known, and the answer is written into it behind all that the
request does: in the request's own transaction. So what was made and how it was answered are kept together or not at
all, whenever a process dies. A second request that comes meanwhile waits at the row for the first one's commit, and
is answered; or for its rollback, and is executed. An error is a rollback: it is not kept.

A stream is kept as the run and the place where it began, and told again from the run's event log.

Routes whose transactions are several (uploads of bytes, what is passed through to model servers) take no part.
"""

import asyncio
import hashlib
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import InvalidRequest, ServiceUnavailable
from app.events import Place
from app.services import idempotency
from app.services.idempotency import Answer
from app.streams import RunStream, get_streams

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

_HEADER: Final = "idempotency-key"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
#: How long a second request waits for the first, which holds a connection to the database for it.
_PATIENCE: Final = 10.0
_CLAIM: Final = "locum.idempotency_claim"


@dataclass(frozen=True)
class _Claim:
    session: AsyncSession
    project_id: str
    key: str


class _Answered(Exception):
    """The request was answered before, with `answer`."""

    def __init__(self, answer: Answer, project_id: str) -> None:
        super().__init__()
        self.answer = answer
        self.project_id = project_id


async def claim(request: Request, session: AsyncSession, project_id: str) -> None:
    """Claims the request's key, if it has one, for `session`; to be called before anything is read or written.

    Raises InvalidRequest for a bad key and for one that another request had; ServiceUnavailable if the first request
    takes too long; and, for `once`, what the first one was answered.
    """
    key = request.headers.get(_HEADER)
    if key is None or request.method != "POST":
        return
    if not _KEY.fullmatch(key):
        message = "Invalid 'Idempotency-Key': expected 1 to 255 printable ASCII characters without spaces."
        raise InvalidRequest(message, param="Idempotency-Key", code="invalid_value")
    fingerprint = await _fingerprint(request)
    try:
        async with asyncio.timeout(_PATIENCE):
            answer = await idempotency.claim(session, project_id, key, fingerprint)
    except TimeoutError:
        message = "The first request with this Idempotency-Key is still under way. Please try again."
        raise ServiceUnavailable(message) from None
    if answer is not None:
        raise _Answered(answer, project_id)
    request.scope[_CLAIM] = _Claim(session, project_id, key)


async def _fingerprint(request: Request) -> bytes:
    """What must be the same in a request that comes again; the headers need not be."""
    called = f"{request.method} {request.url.path}?{request.url.query}\n"
    return hashlib.sha256(called.encode() + await request.body()).digest()


def once(handle: Handler) -> Handler:
    """`handle`, the innermost handler of a route, with its answers kept and given again."""

    async def handle_once(request: Request) -> Response:
        if _HEADER not in request.headers:
            return await handle(request)
        try:
            response = await handle(request)
        except _Answered as known:
            return await _again(request, known)
        claimed: _Claim | None = request.scope.get(_CLAIM)
        if claimed is not None:
            await idempotency.keep(claimed.session, claimed.project_id, claimed.key, _answer(response))
        return response

    return handle_once


def _answer(response: Response) -> Answer:
    if isinstance(response, RunStream):
        return Answer(response.status_code, run_id=response.run_id, after=str(response.after))
    return Answer(response.status_code, body=bytes(response.body))


async def _again(request: Request, known: _Answered) -> Response:
    response: Response
    answer = known.answer
    if answer.run_id is not None and answer.after is not None:
        response = (await get_streams(request)).follow(known.project_id, answer.run_id, Place.parse(answer.after))
    else:
        response = Response(answer.body, answer.status, media_type="application/json")
    response.headers["idempotent-replayed"] = "true"
    return response
