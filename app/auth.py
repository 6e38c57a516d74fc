"""Keys: who is asking, and whether they may."""

import os
import pwd
import socket
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection, Request

from app import scopes
from app.errors import AuthenticationError, PermissionDenied
from app.services import api_keys
from app.services.audit import Actor

_NO_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
    "(i.e. Authorization: Bearer YOUR_KEY)."
)
_DISABLED = "The project of this API key has been archived and is no longer accessible."
_SHOWN_CHARS = 8


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request. The operator, whose key has no project, has none here either."""

    key_id: str
    project_id: str | None

    @property
    def project(self) -> str:
        """The id of the project, for routes that want a scope of a project's key."""
        if self.project_id is None:
            raise LookupError("a key of the operator has no project")
        return self.project_id


def key_of(request: HTTPConnection) -> str | None:
    """The key that a request carries, if it carries one: as a bearer token (RFC 6750, section 2.1), or in `api-key`, as
    Azure has it."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return request.headers.get("api-key", "").strip() or None


async def admit(session: AsyncSession, request: Request) -> Caller:
    """Who makes `request`. Raises AuthenticationError if there is no key or no such key, PermissionDenied if the key
    has not the scope that the route wants.

    The caller is found again in `request.state.caller`, and its key is noted as used.
    """
    key = key_of(request)
    if not key:
        raise AuthenticationError(_NO_KEY)
    known = await api_keys.known(session, key)
    if known is None:
        shown = key[: min(_SHOWN_CHARS, len(key) // 3)]
        message = f"Incorrect API key provided: {shown}***. Keys of this server are made with `locum keys create`."
        raise AuthenticationError(message, code="invalid_api_key")
    if known.is_disabled:
        raise AuthenticationError(_DISABLED, code="not_authorized_invalid_project")
    wanted = scopes.needed(request.method, request.scope["path"])
    if not scopes.allow(known.scopes, wanted):
        raise PermissionDenied.lacking(wanted)
    caller = Caller(known.key_id, known.project_id)
    request.state.caller = caller
    request.app.state.key_uses.note(known.key_id)
    return caller


async def is_operator(session: AsyncSession, request: HTTPConnection) -> bool:
    """Whether a request has a key of the operator's. No key, or a wrong one, is no error."""
    key = key_of(request)
    known = None if key is None else await api_keys.known(session, key)
    return known is not None and scopes.allow(known.scopes, scopes.ADMIN)


def local_actor() -> Actor:
    """Whoever runs this process, for the audit log: by the kernel's word, not by that of the environment."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return Actor(f"cli:{name}", socket.gethostname())
