"""Errors become answers: every one in OpenAI's envelope, none with a trace (contract, section 1.3)."""

from collections.abc import Mapping
from http import HTTPStatus

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from redis.exceptions import BusyLoadingError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from app.errors import APIError, InvalidRequest, NotFound, ServiceUnavailable, in_brief
from app.validation import invalid_request

log = structlog.get_logger()


class MethodNotAllowed(InvalidRequest):
    status = 405


class InternalError(APIError):
    """The unexpected. What happened stands in the log, under the id of the request."""

    def __init__(self, request_id: str) -> None:
        super().__init__(
            "The server had an error while processing your request. Sorry about that! You can retry your request; "
            f"if it keeps failing, look for {request_id} in the log of this server."
        )


def answer(error: APIError, headers: Mapping[str, str] | None = None) -> Response:
    """The response that `error` is."""
    return Response(
        orjson.dumps(error.body()),
        error.status,
        {**error.headers, **(headers or {})},
        media_type="application/json",
    )


def install(app: FastAPI) -> None:
    """Has every error that a route or FastAPI raises answered by this module."""
    app.exception_handler(APIError)(_api_error)
    app.exception_handler(RequestValidationError)(_validation_error)
    app.exception_handler(HTTPException)(_http_exception)
    app.exception_handler(DBAPIError)(_database_error)
    app.exception_handler(PoolTimeoutError)(_database_busy)
    # How asyncpg says that nobody listens there; the other clients have errors of their own.
    app.exception_handler(ConnectionError)(_database_away)
    for away in (RedisConnectionError, RedisTimeoutError, BusyLoadingError):
        app.exception_handler(away)(_redis_away)


async def _api_error(_: Request, error: APIError) -> Response:
    return answer(error)


async def _validation_error(_: Request, error: RequestValidationError) -> Response:
    return answer(invalid_request(error.errors()))


async def _http_exception(request: Request, error: HTTPException) -> Response:
    """What Starlette's router raises: no such path, or not this method."""
    called = f"{request.method} {request.url.path[:200]}"
    if error.status_code == HTTPStatus.NOT_FOUND:
        return answer(NotFound(f"Unknown request URL: {called}. Please check the URL for typos.", code="unknown_url"))
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        message = f"Not allowed to {request.method} on {request.url.path[:200]}."
        return answer(MethodNotAllowed(message, code="method_not_supported"), error.headers)
    return answer(InvalidRequest(str(error.detail)), error.headers)


async def _database_error(request: Request, error: DBAPIError) -> Response:
    """An outage, or a mistake of ours, which is none the client should hear of as one."""
    if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
        return await _database_away(request, error)
    raise error


async def _database_away(_: Request, error: SQLAlchemyError | ConnectionError) -> Response:
    log.warning("database_away", error=in_brief(error))
    return answer(ServiceUnavailable("The database of this server cannot be reached right now. Please try again."))


async def _database_busy(_: Request, error: PoolTimeoutError) -> Response:
    log.warning("database_busy", error=in_brief(error))
    message = "This server has too much to do: none of its connections to the database became free. Please try again."
    return answer(ServiceUnavailable(message, retry_after=2))


async def _redis_away(_: Request, error: RedisError) -> Response:
    log.warning("redis_away", error=in_brief(error))
    return answer(ServiceUnavailable("The Redis of this server cannot be reached right now. Please try again."))
