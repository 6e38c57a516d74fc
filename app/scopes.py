"""Scopes: what a key may do. One rule says which scope each route wants.

A key has `read` or `write`, which are for everything in its project, or scopes of single resources in the style of
OpenAI's restricted keys: `threads:read`, `files:write`. Who may write may read. A key of the operator has `admin`, and
with it nothing of any project.
"""

import re
from collections.abc import Collection, Iterable
from typing import Final

READ: Final = "read"
WRITE: Final = "write"
ADMIN: Final = "admin"
#: What a key may do if nobody says anything else, and what keys from before there were scopes may.
EVERYTHING: Final = (READ, WRITE)

#: The resource of a route, by the first part of its path below `/v1`. Runs and messages are parts of threads, uploads
#: of files, as in OpenAI's dashboard.
_RESOURCES: Final = {
    "assistants": "assistants",
    "threads": "threads",
    "runs": "threads",
    "files": "files",
    "uploads": "files",
    "vector_stores": "vector_stores",
    "models": "models",
    "chat": "chat",
    "embeddings": "embeddings",
}
RESOURCES: Final = tuple(dict.fromkeys(_RESOURCES.values()))
#: All scopes that a key of a project can have.
OF_PROJECTS: Final = (*EVERYTHING, *(f"{resource}:{access}" for resource in RESOURCES for access in EVERYTHING))

_FIRST_PART: Final = re.compile(r"/v1/([a-z_]+)(?:/|$)")
_ORGANIZATION: Final = "organization"
#: They ask by POST since what they ask is long. A search counts as a use of its store.
_READING_POSTS: Final = re.compile(r"/v1/vector_stores/[^/]+/search")
#: The playground's page has texts of messages rendered.
_MARKDOWN: Final = "/playground/markdown"


class UnknownScope(ValueError):
    """Not a scope, or not one beside the others; the message says which there are."""


def needed(method: str, path: str) -> str:
    """Returns the scope that a request wants, by its method and its path (as it is after app.azure).

    Raises LookupError for a path that has no rule: nobody is let in there.
    """
    if path == _MARKDOWN:
        return f"threads:{READ}"
    found = _FIRST_PART.match(path)
    if found is None:
        raise LookupError(f"no scope is known for {path}")
    if found[1] == _ORGANIZATION:
        return ADMIN
    if found[1] not in _RESOURCES:
        raise LookupError(f"no scope is known for {path}")
    reads = method in ("GET", "HEAD") or (method == "POST" and _READING_POSTS.fullmatch(path) is not None)
    return f"{_RESOURCES[found[1]]}:{READ if reads else WRITE}"


def allow(scopes: Collection[str], wanted: str) -> bool:
    """Returns whether a key with `scopes` may do what wants the scope `wanted`."""
    if wanted == ADMIN:
        return ADMIN in scopes
    resource, _, access = wanted.partition(":")
    enough = (WRITE,) if access == WRITE else (READ, WRITE)
    return any(each in scopes or f"{resource}:{each}" in scopes for each in enough)


def checked(scopes: Iterable[str]) -> list[str]:
    """Returns `scopes` in their order, each once. Raises UnknownScope for one that there is not, for none at all, and
    for `admin` beside others."""
    wanted = set(scopes)
    if wanted == {ADMIN}:
        return [ADMIN]
    if ADMIN in wanted:
        raise UnknownScope("the scope 'admin' stands alone: a key of the operator opens no project")
    for scope in sorted(wanted - set(OF_PROJECTS)):
        raise UnknownScope(f"there is no scope '{scope}'; there are: {', '.join((*OF_PROJECTS, ADMIN))}")
    if not wanted:
        raise UnknownScope("a key needs a scope")
    return [scope for scope in OF_PROJECTS if scope in wanted]
