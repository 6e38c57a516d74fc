"""Queries of requests: a parameter without a value is as if it were left out.

Clients write what they were not told as `after=` or `after` (Faraday of Ruby, among others). It is the rule that null
follows in bodies.
"""

from starlette.types import ASGIApp, Receive, Scope, Send


class EmptyParameters:
    """Leaves parameters without a value out of the query; other requests pass through untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["query_string"]:
            scope = {**scope, "query_string": _without_empty(scope["query_string"])}
        await self._app(scope, receive, send)


def _without_empty(query: bytes) -> bytes:
    return b"&".join(pair for pair in query.split(b"&") if pair.partition(b"=")[2])
