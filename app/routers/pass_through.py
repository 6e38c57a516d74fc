"""Requests that go to a model server as they are, but for the model's name, and answers that come back as they are."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import aiohttp
import orjson
from fastapi import Depends, Request, Response
from fastapi.responses import StreamingResponse

from app.azure import DEPLOYMENT
from app.backends.failures import ServerError, failure_of_connection
from app.backends.routing import NoBackend, Upstream
from app.backends.server import ModelServer
from app.deps import get_known_project
from app.errors import InvalidRequest, ServiceUnavailable
from app.json_body import refuse_deep

Result = TypeVar("Result")

#: Of an answer that is not streamed; thousands of embeddings fit.
_MAX_ANSWER_BYTES = 256 * 2**20

#: What clients go by when they are told to wait.
_RELAYED_HEADERS = ("retry-after", "retry-after-ms", "x-should-retry")

#: The status of an answer that nobody reads.
CLIENT_GONE = 499


def described(answers: Sequence[str], **required: Any) -> dict[str, Any]:
    """What a route that passes on its body says of itself: the content types of its answers, and of the body's fields
    those that must be there, with their schemas. The rest is the model server's."""
    fields = {"model": {"type": "string", "minLength": 1}, **required}
    schema = {"type": "object", "required": [*fields], "properties": fields, "additionalProperties": True}
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {"200": {"description": "As the model server answers", "content": {kind: {} for kind in answers}}},
    }


#: Lets only requests with a key through. Unlike ProjectDep it leaves no transaction open while a model server answers.
Authenticated = Depends(get_known_project)


async def asked_model(request: Request) -> dict[str, Any]:
    """The body of a request that names a model. Raises InvalidRequest."""
    raw = await request.body()
    refuse_deep(raw)
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise InvalidRequest("We could not parse the JSON body of your request.") from None
    if not isinstance(body, dict):
        raise InvalidRequest("The JSON body of your request must be an object.")
    if body.get("model") is None and DEPLOYMENT in request.scope:
        body["model"] = request.scope[DEPLOYMENT]
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise InvalidRequest("You must provide a model parameter.", param="model", code="missing_required_parameter")
    return body


async def pass_through(
    request: Request, body: dict[str, Any], path: str, route: Callable[[str], Awaitable[Upstream]]
) -> Response:
    """Has the model server answer `body` at `path`. A client that goes away ends the call there too.

    Raises ServiceUnavailable: there is no model server, or none that answers.
    """
    try:
        upstream = await route(body["model"])
    except NoBackend as e:
        raise ServiceUnavailable(str(e)) from None
    sent = orjson.dumps({**body, "model": upstream.model})
    try:
        answer = await unless_gone(request, _ask(upstream.server, path, sent))
    except (aiohttp.ClientError, OSError) as e:
        raise ServiceUnavailable(failure_of_connection(e).message) from e
    return answer or Response(status_code=CLIENT_GONE)


async def unless_gone(request: Request, asking: Awaitable[Result]) -> Result | None:
    """The answer; None if the client goes away before there is one."""
    work = asyncio.ensure_future(asking)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        return work.result() if work.done() else None
    finally:
        for task in (work, gone):
            task.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _ask(server: ModelServer, path: str, body: bytes) -> Response:
    async with AsyncExitStack() as stack:
        response = await stack.enter_async_context(await server.post(path, body))
        if response.status != 200:
            return _refusal(response, ServerError.from_body(await server.beginning(response)))
        if response.content_type == "text/event-stream":
            return StreamingResponse(
                _relayed(server, response, stack.pop_all()),
                media_type="text/event-stream",
                headers={"cache-control": "no-cache"},
            )
        return Response(await _whole(response), media_type=response.headers.get("content-type"))


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for data in response.content.iter_any():
        body += data
        if len(body) > _MAX_ANSWER_BYTES:
            raise ServiceUnavailable("The model server's answer is too long.")
    return bytes(body)


async def _relayed(
    server: ModelServer, response: aiohttp.ClientResponse, stack: AsyncExitStack
) -> AsyncIterator[bytes]:
    """The stream as it comes. If it breaks off, its last event is an error, which OpenAI's clients raise."""
    async with stack:
        try:
            async for data in response.content.iter_any():
                yield data
        except (aiohttp.ClientError, OSError) as e:
            message = server.redacted(failure_of_connection(e).message)
            error = {"message": message, "type": "server_error", "param": None, "code": None}
            yield b"\n\ndata: " + orjson.dumps({"error": error}) + b"\n\n"


def _refusal(response: aiohttp.ClientResponse, error: ServerError) -> Response:
    """The server's error, in OpenAI's envelope. Its 401 and 403 are about Locum's key, not about the client's."""
    if response.status in (401, 403):
        raise ServiceUnavailable("The model server refuses the key that Locum has for it.")
    if response.status < 400:
        raise ServiceUnavailable(f"The model server answered {response.status}, which is not a completion.")
    message = error.words or f"The model server answered {response.status}."
    kind = error.type or ("invalid_request_error" if response.status < 500 else "server_error")
    envelope = {"message": message, "type": kind, "param": error.param, "code": error.code}
    headers = {name: response.headers[name] for name in _RELAYED_HEADERS if name in response.headers}
    return Response(orjson.dumps({"error": envelope}), response.status, headers=headers, media_type="application/json")
