"""The routes of the playground: its page, the page's own files, and the rendering of what models write.

They are no part of the API that `/openapi.json` describes.
"""

from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from app.deps import KnownProjectDep
from app.json_body import JsonRoute
from app.playground.rendering import MAX_CHARACTERS, Renderer
from app.schemas.common import RequestBody

_STATIC: Final = Path(__file__).parent / "static"
_PAGE: Final = _STATIC / "index.html"

#: Nothing but the page's own files runs, is shown or is spoken to; charts come through the API, as blobs.
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types locum",
    )
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}

router = APIRouter(include_in_schema=False, route_class=JsonRoute)


class Markdown(RequestBody):
    """What is to be shown, for instance the text of a message or a fenced block of code."""

    text: Annotated[str, Field(max_length=MAX_CHARACTERS)]


class Html(BaseModel):
    html: str


@router.get("/playground")
async def get_page() -> FileResponse:
    return FileResponse(_PAGE, headers=_HEADERS)


@router.post("/playground/markdown")
async def render_markdown(body: Markdown, request: Request, _: KnownProjectDep) -> Html:
    renderer: Renderer = request.app.state.renderer
    return Html(html=await renderer.rendered(body.text))


class _Files(StaticFiles):
    """The page's files, asked for anew each time a page is opened: most of the answers are 304."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(_HEADERS)
        return response


def install(app: FastAPI) -> None:
    """Adds the playground to `app`."""
    app.include_router(router)
    app.mount("/playground/static", _Files(directory=_STATIC), name="playground")
