"""`/docs`: the API's description, shown by Swagger UI, whose files come from a package and not from elsewhere."""

from pathlib import Path
from typing import Final

import fastapi_swagger
from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse, HTMLResponse, Response

from app.errors import NotFound

_RESOURCES: Final = Path(fastapi_swagger.__file__).parent / "resources"
_FILES: Final = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}

#: Swagger UI sets styles of its own and has pictures inside them.
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS: Final = {"content-security-policy": _POLICY, "referrer-policy": "no-referrer"}

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Locum - API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" href="data:,">
</head>
<body>
<div id="api"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START: Final = 'SwaggerUIBundle({ url: "/openapi.json", dom_id: "#api", deepLinking: true });\n'

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def get_reference() -> HTMLResponse:
    return HTMLResponse(_PAGE, headers=_HEADERS)


@router.get("/docs/{name}")
async def get_reference_file(name: str) -> Response:
    if name == "start.js":
        return Response(_START, media_type="text/javascript")
    if name not in _FILES:
        raise NotFound(f"There is no page /docs/{name}.")
    return FileResponse(_RESOURCES / name, media_type=_FILES[name])


def install(app: FastAPI) -> None:
    """Adds the page and its files to `app`."""
    app.include_router(router)
