"""How a request for v1 is told from others, and how it is marked for the routes that only v1 has."""

import re
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Scope

#: In the scope of a request for v1, which otherwise looks like one for v2.
_MARK: Final = "locum.v1"
_BETA: Final = b"openai-beta"
_PATHS: Final = re.compile(r"/v1/(assistants|threads)(/|$)")


def asks_for_v1(scope: Scope) -> bool:
    """Whether a request is for version 1: by its header, which may name both. Then it is for version 2."""
    if scope["type"] != "http" or not _PATHS.match(scope["path"]):
        return False
    lines = Headers(scope=scope).getlist("openai-beta")
    tokens = {token.strip() for line in lines for token in line.split(",")}
    return "assistants=v1" in tokens and "assistants=v2" not in tokens


def as_v2(scope: Scope) -> Scope:
    """The scope of a request for v1 as the rest of Locum is to see it."""
    headers = [pair for pair in scope["headers"] if pair[0] != _BETA]
    return {**scope, "headers": [*headers, (_BETA, b"assistants=v2")], _MARK: True}


def is_marked(scope: Scope) -> bool:
    """Whether `as_v2` made this scope."""
    return _MARK in scope
