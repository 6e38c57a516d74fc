"""Chat completions with functions, for models whose calls are emulated: as runs have them, though no run is made."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import orjson
from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from pydantic import ValidationError

from app.backends.base import BackendFailure, CompletionRequest, Delta, Model, sampling_of
from app.backends.completion_answers import CompletionAnswer
from app.errors import APIError, InvalidRequest, RateLimited, ServiceUnavailable
from app.routers.pass_through import CLIENT_GONE, unless_gone
from app.schemas.chat_completions import EmulatedCompletion, as_sent, without_passed_on
from app.schemas.common import Json
from app.validation import invalid_request


async def answer(request: Request, model: Model, body: Json) -> Response:
    """Answers `body` by `model`, whose backend emulates calls, streamed if `stream` is true.

    Raises InvalidRequest, also for parameters that cannot be honoured; RateLimited and ServiceUnavailable.
    """
    asked, options = without_passed_on(body)
    try:
        wanted = EmulatedCompletion.model_validate(asked)
    except ValidationError as error:
        raise invalid_request(error.errors(), from_fastapi=False) from None
    batches = model.backend.stream(_request(wanted, options))
    made = CompletionAnswer(model.name)
    try:
        if wanted.stream:
            usage = wanted.stream_options is not None and wanted.stream_options.include_usage
            begun = await unless_gone(request, _begun(batches))
            if begun is None:
                return Response(status_code=CLIENT_GONE)
            return StreamingResponse(
                made.chunks(begun, include_usage=usage),
                media_type="text/event-stream",
                headers={"cache-control": "no-cache"},
            )
        whole = await unless_gone(request, made.whole(batches))
    except BackendFailure as failure:
        raise _error(failure) from None
    if whole is None:
        return Response(status_code=CLIENT_GONE)
    return Response(orjson.dumps(whole), media_type="application/json")


def _request(wanted: EmulatedCompletion, options: Json) -> CompletionRequest:
    choice = wanted.tool_choice
    return CompletionRequest(
        messages=[as_sent(message) for message in wanted.messages],
        tools=[as_sent(tool) for tool in wanted.tools],
        tool_choice=choice if choice is None or isinstance(choice, str) else as_sent(choice),
        parallel_tool_calls=wanted.parallel_tool_calls,
        response_format=wanted.response_format,
        max_completion_tokens=wanted.max_completion_tokens or wanted.max_tokens,
        options=options,
        **sampling_of(wanted),
    )


async def _begun(batches: AsyncGenerator[list[Delta], None]) -> AsyncIterator[list[Delta]]:
    """The stream, when its first batch is there: what goes wrong until then can still be told."""
    nothing: list[Delta] = []
    first = await anext(batches, nothing)
    return _resumed(first, batches)


async def _resumed(first: list[Delta], rest: AsyncGenerator[list[Delta], None]) -> AsyncIterator[list[Delta]]:
    async with aclosing(rest):
        yield first
        async for batch in rest:
            yield batch


def _error(failure: BackendFailure) -> APIError:
    if failure.code == "rate_limit_exceeded":
        return RateLimited(failure.message, retry_after=1)
    if failure.code == "invalid_prompt":
        return InvalidRequest(failure.message)
    return ServiceUnavailable(failure.message)
