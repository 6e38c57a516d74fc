"""Refuses the tools that this version of Locum does not serve, where no request names them."""

from collections.abc import Iterable

from app.db.base import Json
from app.errors import InvalidRequest
from app.schemas.served import SERVED, refusal


def refuse_unserved_tools(tools: Iterable[Json]) -> None:
    """Raises InvalidRequest for tools as they are stored: the assistant may have been made by another version."""
    for position, tool in enumerate(tools):
        if tool["type"] not in SERVED:
            raise InvalidRequest(refusal(tool["type"]), param=f"tools[{position}].type", code="unsupported_value")
