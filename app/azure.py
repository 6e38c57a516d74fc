"""Clients made for Azure: those of Azure OpenAI, and those of Azure's agents (`azure-ai-agents`).

They have other paths than OpenAI's clients, and their key may come in a header of its own (app.auth). Azure OpenAI has
deployments for models. `api-version` in the query is passed over: there is one version. The paths are those that the
clients' packages write.
"""

import re
from typing import Final
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: In the scope: the model to take where the body of the request names none.
DEPLOYMENT: Final = "locum.deployment"

#: Where a project is: as azure-ai-agents has it, and as azure-ai-projects had it before its version 1.0.
_PROJECT: Final = (
    r"/api/projects/[^/]+"
    r"|/agents/v1\.0/subscriptions/[^/]+/resourceGroups/[^/]+/providers/[^/]+/workspaces/[^/]+"
)
_PREFIX: Final = re.compile(rf"(?:(?:{_PROJECT})(?:/openai)?|/openai)(?:/v1)?(?=/)")
_DEPLOYMENT: Final = re.compile(rf"(?:{_PROJECT})?/openai/deployments/(.+)(/chat/completions|/embeddings)")
#: The resources of clients of agents whose endpoint is this server, without a project.
_RESOURCES: Final = re.compile(r"/(?:assistants|threads|files|vector_stores)(?:/.*)?")

#: `include[]`, as @azure/ai-agents writes it (1.1.0): encoded twice.
_ENCODED_TWICE: Final = (b"include%255B%255D=", b"include%5B%5D=")

#: Azure's services give it back, so that a client finds the answer to its request.
_CLIENT_REQUEST_ID: Final = "x-ms-client-request-id"
_LONGEST_REQUEST_ID: Final = 128


class AzurePaths:
    """Gives requests below Azure's paths the paths that Locum has for them; others pass through untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = _as_v1_path(_with_include(scope))
            send = _with_client_request_id(scope, send)
        await self._app(scope, receive, send)


def _with_include(scope: Scope) -> Scope:
    query: bytes = scope["query_string"]
    return {**scope, "query_string": query.replace(*_ENCODED_TWICE)} if _ENCODED_TWICE[0] in query else scope


def _as_v1_path(scope: Scope) -> Scope:
    """The scope as it is, or a copy with another path."""
    path: str = scope["path"]
    if path.startswith("/v1/"):
        return scope
    rewritten = {**scope}
    if found := _DEPLOYMENT.fullmatch(path):
        rewritten[DEPLOYMENT], path = found[1], f"/v1{found[2]}"
    elif found := _PREFIX.match(path):
        path = f"/v1{path[found.end() :]}"
    elif _RESOURCES.fullmatch(path):
        path = f"/v1{path}"
    else:
        return scope
    rewritten["path"], rewritten["raw_path"] = path, quote(path).encode()
    return rewritten


def _with_client_request_id(scope: Scope, send: Send) -> Send:
    """`send`, or one that gives back the id that the client has given its request."""
    given = Headers(scope=scope).get(_CLIENT_REQUEST_ID, "")
    if not 0 < len(given) <= _LONGEST_REQUEST_ID:
        return send

    async def send_with_id(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)[_CLIENT_REQUEST_ID] = given
        await send(message)

    return send_with_id
