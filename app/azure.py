"""Clients made for Azure OpenAI: other paths, a header of their own for the key (app.auth), deployments for models.

`api-version` in the query is passed over: there is one version.
"""

import re
from typing import Final
from urllib.parse import quote

from starlette.types import ASGIApp, Receive, Scope, Send

#: In the scope: the model to take where the body of the request names none.
DEPLOYMENT: Final = "locum.deployment"

_PREFIX: Final = re.compile(r"/openai(?:/v1)?(?=/)")
_DEPLOYMENT: Final = re.compile(r"/openai/deployments/(.+)(/chat/completions|/embeddings)")


class AzurePaths:
    """Gives requests below `/openai` the paths that Locum has for them; others pass through untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/openai/"):
            scope = _as_v1_path(scope)
        await self._app(scope, receive, send)


def _as_v1_path(scope: Scope) -> Scope:
    rewritten = {**scope}
    path: str = scope["path"]
    if found := _DEPLOYMENT.fullmatch(path):
        rewritten[DEPLOYMENT], path = found[1], f"/v1{found[2]}"
    else:
        path = _PREFIX.sub("/v1", path, count=1)
    rewritten["path"], rewritten["raw_path"] = path, quote(path).encode()
    return rewritten
