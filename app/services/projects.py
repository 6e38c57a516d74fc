"""Projects and their API keys. A key is shown once, when it is made; the database knows its SHA-256."""

import hashlib
import secrets
from typing import Final

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app import ids
from app.db.base import now
from app.models import ApiKey, Project

_PREFIX = "sk-locum-"
#: 32 bytes of chance are 43 characters.
_RANDOM_BYTES = 32
_HINT_CHARS = 4


class UnusableKey(ValueError):
    """A key of the caller's own choice that cannot be one; the message says why."""


async def create_project(session: AsyncSession, name: str) -> Project:
    """Makes a project. Names need not differ: the id tells projects apart."""
    project = Project(id=ids.new(ids.PROJECT), name=name)
    session.add(project)
    await session.flush()
    return project


async def find_project(session: AsyncSession, name_or_id: str) -> Project | None:
    """The project with this id, else the oldest with this name."""
    matching = (Project.id == name_or_id) | (Project.name == name_or_id)
    order = [(Project.id == name_or_id).desc(), Project.created_at]
    return await session.scalar(select(Project).where(matching).order_by(*order).limit(1))


async def create_key(
    session: AsyncSession, project_id: str, name: str, *, key: str | None = None
) -> tuple[ApiKey, str]:
    """Makes a key of a project; gives its row and, for the only time, the key itself.

    `key` is one of the caller's own; the project may have it already. Raises `UnusableKey` if it is revoked, another
    project's, or no secret.
    """
    key = new_key() if key is None else key
    if len(key) < len(_PREFIX) + 8 or not key.isascii() or not key.isprintable() or " " in key:
        raise UnusableKey("an API key must have 17 or more printable ASCII characters and no space")
    known = await session.scalar(select(ApiKey).where(ApiKey.sha256 == digest(key)))
    if known is not None:
        if known.project_id != project_id or known.revoked_at is not None:
            raise UnusableKey("this API key is revoked or belongs to another project")
        return known, key
    row = ApiKey(id=ids.new(ids.API_KEY), project_id=project_id, name=name, sha256=digest(key), hint=_hint(key))
    session.add(row)
    await session.flush()
    return row, key


async def list_keys(session: AsyncSession, project_id: str | None = None) -> list[tuple[ApiKey, Project]]:
    """The keys, revoked ones too, of one project or of all, in the order of their making, with their projects."""
    query = select(ApiKey, Project).join(Project, Project.id == ApiKey.project_id).order_by(ApiKey.created_at)
    if project_id is not None:
        query = query.where(ApiKey.project_id == project_id)
    return [(key, project) for key, project in await session.execute(query)]


async def revoke_key(session: AsyncSession, key_id: str) -> bool:
    """Ends a key, from the next request on; tells whether there was such a key that was not revoked."""
    query = update(ApiKey).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None)).values(revoked_at=now())
    return await session.scalar(query.returning(ApiKey.id)) is not None


#: Asked in every request, so made once.
_PROJECT_OF_KEY: Final = select(ApiKey.project_id).where(
    ApiKey.sha256 == bindparam("sha256"), ApiKey.revoked_at.is_(None)
)


async def project_of_key(session: AsyncSession, key: str) -> str | None:
    """The id of the project that a key opens; None for an unknown or revoked one."""
    return await session.scalar(_PROJECT_OF_KEY, {"sha256": digest(key)})


def new_key() -> str:
    """A key that nobody can guess: `sk-locum-` and 43 url-safe characters."""
    return _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def digest(key: str) -> bytes:
    """What the database knows of a key. A plain hash will do: there is nothing to guess in 32 random bytes."""
    return hashlib.sha256(key.encode()).digest()


def _hint(key: str) -> str:
    """What can be shown of a key: `sk-locum-...x7Qz`."""
    return f"{_PREFIX if key.startswith(_PREFIX) else ''}...{key[-_HINT_CHARS:]}"
