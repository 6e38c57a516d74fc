"""The web server: a page, and the few requests that it makes. A browser has one conversation, named by its cookie."""

import contextlib
import json
import mimetypes
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from openai import AsyncOpenAI, BadRequestError, NotFoundError
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import answering, desk, shown

_STATIC = Path(__file__).parent / "static"
#: The id of the browser's thread. Ids cannot be guessed; that it is no cookie of scripts keeps it from being stolen.
_COOKIE = "conversation"
_COOKIE_SECONDS = 30 * 24 * 3600
_LONGEST_QUESTION = 4000
_LARGEST_FILE = 5 * 2**20
#: What may be attached, and what is done with it.
_COMPUTED_WITH = (".csv", ".tsv", ".xlsx", ".json")
_SEARCHED = (".txt", ".md", ".pdf", ".docx")
#: What is shown in the page; everything else is saved to disk, never opened from this server.
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")

_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


def create_app(client: AsyncOpenAI, model: str) -> Starlette:
    """The application. Its assistant is set up when it starts."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.client = client
        app.state.assistant_id = await desk.set_up(client, model)
        app.state.answering = answering.Answering()
        yield
        await app.state.answering.close()

    routes = [
        Route("/", page),
        Route("/sales.csv", sample_table),
        Route("/api/conversation", conversation),
        Route("/api/conversation", forget, methods=["DELETE"]),
        Route("/api/questions", ask, methods=["POST"]),
        Route("/api/stop", stop, methods=["POST"]),
        Route("/api/files/{file_id}", file),
        Mount("/static", StaticFiles(directory=_STATIC)),
    ]
    handlers: Any = {HTTPException: _refused, NotFoundError: _gone}
    return Starlette(routes=routes, lifespan=lifespan, middleware=[Middleware(_Guarded)], exception_handlers=handlers)


async def page(request: Request) -> Response:
    return FileResponse(_STATIC / "index.html")


async def sample_table(request: Request) -> Response:
    return FileResponse(desk.DATA / "sales.csv")


async def conversation(request: Request) -> Response:
    """All that was said; nothing if nothing was, or if the thread is gone."""
    thread_id = request.cookies.get(_COOKIE)
    if thread_id:
        with contextlib.suppress(NotFoundError, BadRequestError):
            return JSONResponse(await shown.conversation(_client(request), thread_id))
    return JSONResponse({"messages": [], "running": False})


async def forget(request: Request) -> Response:
    """Deletes the conversation: with it goes all that was said, and what was attached to it."""
    client, thread_id = _client(request), request.cookies.get(_COOKIE)
    if thread_id:
        with contextlib.suppress(NotFoundError, BadRequestError):
            messages = client.beta.threads.messages.list(thread_id, limit=100)
            attached = [one.file_id async for message in messages for one in message.attachments or []]
            await client.beta.threads.delete(thread_id)
            for file_id in filter(None, attached):
                with contextlib.suppress(NotFoundError):
                    await client.files.delete(file_id)
    response = Response(status_code=204)
    response.delete_cookie(_COOKIE, httponly=True, samesite="strict")
    return response


async def ask(request: Request) -> Response:
    """Takes a question, with a file if there is one, and streams the answer: a JSON object a line."""
    client = _client(request)
    async with request.form(max_files=1, max_fields=1) as form:
        question, attached = form.get("question"), form.get("file")
        if not isinstance(question, str) or not question.strip() or len(question) > _LONGEST_QUESTION:
            raise HTTPException(400, f"A question has 1 to {_LONGEST_QUESTION} characters.")
        thread_id = await _thread(request)
        message: dict[str, Any] = {"role": "user", "content": question}
        if isinstance(attached, UploadFile):
            message |= await _attachment(client, attached)
    try:
        await client.beta.threads.messages.create(thread_id, **message)
    except BadRequestError as error:  # an answer is under way, in another tab perhaps
        raise HTTPException(409, "Your last question is still being answered.") from error
    told = request.app.state.answering.begin(answering.events(client, request.app.state.assistant_id, thread_id))
    response = StreamingResponse(_lines(told), media_type="application/x-ndjson")
    response.set_cookie(
        _COOKIE,
        thread_id,
        max_age=_COOKIE_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


async def stop(request: Request) -> Response:
    """Cancels the answer that is under way, if there is one."""
    client, thread_id = _client(request), request.cookies.get(_COOKIE)
    if thread_id:
        with contextlib.suppress(NotFoundError, BadRequestError):
            for run in (await client.beta.threads.runs.list(thread_id, limit=1)).data:
                await client.beta.threads.runs.cancel(run.id, thread_id=thread_id)
    return Response(status_code=204)


async def file(request: Request) -> Response:
    """A chart, or a file that code has written, if it belongs to this browser's conversation."""
    client, thread_id, file_id = _client(request), request.cookies.get(_COOKIE), request.path_params["file_id"]
    if not thread_id or not await shown.has_file(client, thread_id, file_id):
        raise HTTPException(404, "There is no such file.")
    name = (await client.files.retrieve(file_id)).filename.rpartition("/")[2]
    kind = mimetypes.guess_type(name)[0]
    headers = {"cache-control": "private, max-age=86400"}
    if kind not in _IMAGES:
        kind = "application/octet-stream"
        headers["content-disposition"] = f"attachment; filename*=utf-8''{quote(name, safe='')}"

    async def content() -> AsyncIterator[bytes]:
        async with client.files.with_streaming_response.content(file_id) as found:
            async for chunk in found.iter_bytes():
                yield chunk

    return StreamingResponse(content(), media_type=kind, headers=headers)


def _client(request: Request) -> AsyncOpenAI:
    client: AsyncOpenAI = request.app.state.client
    return client


async def _thread(request: Request) -> str:
    """The browser's thread, or a new one if it has none, or one that is gone."""
    threads = _client(request).beta.threads
    if thread_id := request.cookies.get(_COOKIE):
        with contextlib.suppress(NotFoundError, BadRequestError):
            return (await threads.retrieve(thread_id)).id
    return (await threads.create()).id


async def _attachment(client: AsyncOpenAI, attached: UploadFile) -> dict[str, Any]:
    """Uploads a file; what the message has to say of it. Raises HTTPException if it is none of ours."""
    name = Path(attached.filename or "").name
    suffix = Path(name).suffix.lower()
    if suffix not in _COMPUTED_WITH + _SEARCHED:
        raise HTTPException(400, "Tables (csv, tsv, xlsx, json) and texts (txt, md, pdf, docx) can be attached.")
    if (attached.size or 0) > _LARGEST_FILE:
        raise HTTPException(400, f"A file may have {_LARGEST_FILE // 2**20} MB.")
    tool = "code_interpreter" if suffix in _COMPUTED_WITH else "file_search"
    stored = await client.files.create(file=(name, await attached.read()), purpose="assistants")
    return {
        "attachments": [{"file_id": stored.id, "tools": [{"type": tool}]}],
        "metadata": {"attached": name[:512]},
    }


async def _lines(events: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    async for event in events:
        yield json.dumps(event).encode() + b"\n"


def _refused(request: Request, error: HTTPException) -> Response:
    return JSONResponse({"message": error.detail}, error.status_code)


def _gone(request: Request, error: NotFoundError) -> Response:
    return JSONResponse({"message": "There is no such thing."}, 404)


class _Guarded:
    """Puts the headers on every answer that keep a page to itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
            await send(message)

        await self._app(scope, receive, guarded)
