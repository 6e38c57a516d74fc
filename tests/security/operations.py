"""Every operation that the API has, read from its routes: what is tested of all of them cannot miss a new one."""

import re
from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple

import httpx2
from fastapi import FastAPI
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from app.main import ERRORS, create_app
from app.settings import Settings
from app.v1 import routes as v1
from app.v1.routes import V1Route

Edition = Literal["v1", "v2"]

#: The description and its viewer, which hold nothing of anybody's.
_UNKEYED: Final = {"/openapi.json", "/docs", "/docs/{name}", "/healthz", "/playground", "/readyz"}
_BOTH_EDITIONS: Final = re.compile(r"/v1/(assistants|threads)(/|$)")


class Operation(NamedTuple):
    """One method at one path, for clients of one edition of the Assistants API."""

    name: str
    method: str
    path: str
    edition: Edition
    wants_json: bool
    wants_form: bool

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"\{(\w+)\}", self.path)

    @property
    def headers(self) -> dict[str, str]:
        return {"OpenAI-Beta": f"assistants={self.edition}"}

    def __str__(self) -> str:
        return f"{self.name}-{self.edition}"

    def call(self, http: httpx2.Client, ids: dict[str, str], body: Any = None, **options: Any) -> httpx2.Response:
        """Sends a request for the operation on the objects with `ids`."""
        path = self.path
        for name in self.parameters:
            path = path.replace(f"{{{name}}}", ids[name])
        if self.wants_form:
            options["files"] = {"data": ("a.txt", b"x"), "file": ("a.txt", b"x")}
            options["data"] = {"purpose": "assistants"}
        elif body is not None:
            options["json"] = body
        options["headers"] = {**self.headers, **options.get("headers", {})}
        return http.request(self.method, path, **options)


def described_app() -> FastAPI:
    """The application, on parts that are nowhere: to be read, not to be asked."""
    return create_app(Settings(database_url="postgresql://nowhere/x", redis_url="redis://nowhere/0"))


def _operations() -> Iterator[Operation]:
    for route in iter_route_contexts(described_app().routes):
        assert route.path is not None
        if route.path in _UNKEYED:
            continue
        for method in sorted(route.methods or ()):
            yield from _editions(route, route.path, method)


def _editions(route: RouteContext, path: str, method: str) -> Iterator[Operation]:
    known = route.original_route
    assert isinstance(known, APIRoute)
    form = "multipart/form-data" in str(known.openapi_extra)
    wanted = known.body_field is not None and known.body_field.field_info.is_required()
    name = known.name
    path = path.replace(":path}", "}")
    if not isinstance(known, V1Route):
        yield Operation(name, method, path, "v2", wanted, form)
    if _BOTH_EDITIONS.match(path):
        yield Operation(name, method, path, "v1", wanted, form)


OPERATIONS: Final = list(_operations())


def description_of_v1() -> dict[str, Any]:
    """What an OpenAPI description would say of the routes that only v1 has; the one that is served is of v2."""
    app = FastAPI()
    for route in v1.router.routes:
        assert isinstance(route, APIRoute)
        app.add_api_route(f"/v1{route.path}", route.endpoint, methods=[*(route.methods or ())], responses=ERRORS)
    return app.openapi()
