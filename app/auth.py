"""Keys: who is asking."""

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from app.errors import AuthenticationError
from app.services import projects

_NO_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
    "(i.e. Authorization: Bearer YOUR_KEY)."
)
_SHOWN_CHARS = 8


def key_of(request: HTTPConnection) -> str | None:
    """The key that a request carries, if it carries one: as a bearer token (RFC 6750, section 2.1), or in `api-key`, as
    Azure has it."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return request.headers.get("api-key", "").strip() or None


async def project_of(session: AsyncSession, key: str | None) -> str:
    """The id of the project that `key` opens. Raises AuthenticationError if there is no key or no such key."""
    if not key:
        raise AuthenticationError(_NO_KEY)
    project_id = await projects.project_of_key(session, key)
    if project_id is None:
        shown = key[: min(_SHOWN_CHARS, len(key) // 3)]
        message = f"Incorrect API key provided: {shown}***. Keys of this server are made with `locum keys create`."
        raise AuthenticationError(message, code="invalid_api_key")
    return project_id
