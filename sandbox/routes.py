"""The host over HTTP. All but /healthz wants the bearer token (sandbox.door). Errors: {"error": {"code", "message"}}.

    PUT    /sessions/{key}                    the session of a key, made if need be: {"id", "created"}
    DELETE /sessions/{id}                     ends it
    POST   /sessions/{id}/executions          {"code", "seconds"?} -> events, a line each (sandbox.protocol)
    POST   /sessions/{id}/interrupt           stops what runs and what waits
    GET    /sessions/{id}/files               {"files": [{"path", "size", "modified", "version"}], "left_out"}
    PUT    /sessions/{id}/files/{path}        the body becomes the file
    GET    /sessions/{id}/files/{path}        its bytes
    DELETE /sessions/{id}/files/{path}
                                              (paths are escaped: sandbox.protocol)
    GET    /stats
    GET    /healthz

A client that hangs up during an execution stops it: its results could be had by nobody else, and whoever comes next
must find the kernel free.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, Field
from starlette.types import Receive, Scope, Send

from sandbox.errors import SandboxError
from sandbox.execution import Execution
from sandbox.files import FileEntry
from sandbox.host import Host
from sandbox.protocol import escaped, to_line, unescaped

#: Of one execution.
MAX_CODE_CHARACTERS: Final = 2**20

_log = structlog.get_logger()

Key = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,128}$")]


class NewExecution(BaseModel):
    """Code to run, for no longer than `seconds` or what the host allows."""

    code: str = Field(max_length=MAX_CODE_CHARACTERS)
    seconds: float | None = Field(None, gt=0)


class NewLink(BaseModel):
    """A second name for a file."""

    source: str
    name: str


async def _host(request: Request) -> Host:
    host: Host = request.app.state.host
    return host


HostDep = Annotated[Host, Depends(_host)]


health = APIRouter()
sessions = APIRouter()


@health.get("/healthz")
async def healthz() -> dict[str, str]:
    """That the host is there and can launch kernels: it does not come up otherwise."""
    return {"status": "ok"}


@sessions.get("/stats")
async def stats(host: HostDep) -> dict[str, Any]:
    """How many sessions there are, and what they do."""
    return host.stats()


@sessions.put("/sessions/{key}")
async def open_session(key: Key, host: HostDep) -> dict[str, Any]:
    """The session of the key; `created` if what was there before, if anything, is gone."""
    session, created = await host.sessions.open(key)
    return {"id": session.id, "created": created}


@sessions.delete("/sessions/{session_id}", status_code=204)
async def close_session(session_id: str, host: HostDep) -> None:
    """Ends the session, its code and its files."""
    await host.sessions.end(host.sessions.get(session_id))


@sessions.post("/sessions/{session_id}/executions")
async def execute(session_id: str, body: NewExecution, host: HostDep) -> Response:
    """Runs code when its turn comes."""
    return _EventStream(host.sessions.execute(session_id, body.code, body.seconds))


@sessions.post("/sessions/{session_id}/interrupt", status_code=204)
async def interrupt(session_id: str, host: HostDep) -> None:
    """Stops what runs and what waits; returns before it has stopped."""
    host.sessions.get(session_id).interrupt()


@sessions.get("/sessions/{session_id}/files")
async def list_files(session_id: str, host: HostDep) -> JSONResponse:
    """All files of the session."""
    with host.sessions.get(session_id) as files:
        listing = await files.entries()
        return JSONResponse({"files": [_shown(entry) for entry in listing.files], "left_out": listing.left_out})


@sessions.post("/sessions/{session_id}/links")
async def link_file(session_id: str, body: NewLink, host: HostDep) -> dict[str, bool]:
    """Gives a file a second name, unless code has put something else there."""
    with host.sessions.get(session_id) as files:
        return {"linked": await files.link(body.source, body.name)}


@sessions.put("/sessions/{session_id}/files/{path:path}")
async def put_file(session_id: str, path: str, request: Request, host: HostDep) -> JSONResponse:
    """Writes a file; it is there once all of it is."""
    length = request.headers.get("Content-Length", "")
    with host.sessions.get(session_id) as files:
        announced = int(length) if length.isdecimal() else 0
        return JSONResponse(_shown(await files.put(unescaped(path), request.stream(), announced)))


@sessions.get("/sessions/{session_id}/files/{path:path}")
async def get_file(session_id: str, path: str, host: HostDep) -> StreamingResponse:
    """A file's bytes."""
    with host.sessions.get(session_id) as files:
        entry, data = await files.open(unescaped(path))
    headers = {"Content-Length": str(entry.size), "X-File-Version": entry.version}
    return StreamingResponse(data, media_type="application/octet-stream", headers=headers)


@sessions.delete("/sessions/{session_id}/files/{path:path}", status_code=204)
async def delete_file(session_id: str, path: str, host: HostDep) -> None:
    """Removes a file."""
    with host.sessions.get(session_id) as files:
        await files.delete(unescaped(path))


def _shown(entry: FileEntry) -> dict[str, Any]:
    return asdict(entry) | {"path": escaped(entry.path)}


class _EventStream(Response):
    """The events of an execution, as long as somebody listens."""

    media_type = "application/x-ndjson"

    def __init__(self, execution: Execution) -> None:
        super().__init__()
        del self.headers["Content-Length"]
        self._execution = execution

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send(send))
        # The body has been read: what comes next is that the client has gone.
        leaving = asyncio.ensure_future(receive())
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._execution.stop("abandoned")
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
        if not sending.cancelled():
            with contextlib.suppress(OSError):
                sending.result()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for lines in _lines(self._execution):
            await send({"type": "http.response.body", "body": lines, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _lines(execution: Execution) -> AsyncIterator[bytes]:
    async for event in execution.events():
        yield to_line(event)


def sandbox_error(error: SandboxError) -> JSONResponse:
    """The answer that `error` is."""
    return JSONResponse({"error": {"code": error.code, "message": str(error)}}, error.status)


async def handle_sandbox_error(_: Request, error: Exception) -> JSONResponse:
    """The answer to a request that failed in a way we know."""
    return sandbox_error(error if isinstance(error, SandboxError) else SandboxError(str(error)))


async def invalid_request(_: Request, error: Exception) -> JSONResponse:
    """The answer to a request that is not as it should be."""
    return JSONResponse({"error": {"code": "invalid_request", "message": str(error)}}, 400)
