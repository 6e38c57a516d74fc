"""The description of the API that FastAPI makes, with what it cannot see: every operation below /v1 wants a key, and
those of the Assistants API the beta header."""

import re
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

_SCHEME: Final = "HTTPBearer"
_KEY: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key of this server: `locum keys create`",
}

#: Without a type in the route, which would have a header that is missing refused before a key that is wrong.
_BETA: Final = {
    "name": "OpenAI-Beta",
    "in": "header",
    "required": False,
    "description": "`assistants=v2`, as without this header; other tokens may stand beside it, separated by commas",
    "schema": {"type": "string", "enum": ["assistants=v2"]},
}
_BETA_PATHS: Final = re.compile(r"/v1/(assistants|threads)(/|$)")


def install(app: FastAPI) -> None:
    """Has `app` answer with the whole description."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            schema.setdefault("components", {})["securitySchemes"] = {_SCHEME: _KEY}
            for path, operations in schema["paths"].items():
                if path.startswith("/v1/"):
                    for operation in operations.values():
                        operation["security"] = [{_SCHEME: []}]
                        if _BETA_PATHS.match(path):
                            operation.setdefault("parameters", []).append(_BETA)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]
