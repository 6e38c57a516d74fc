"""The description of the API that FastAPI makes, with what it cannot see: every operation below /v1 wants a key."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

_SCHEME: Final = "HTTPBearer"
_KEY: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key of this server: `locum keys create`",
}


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
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]
