"""API keys. A key is shown once, when it is made; the database knows its SHA-256.

A key is looked up for every request and kept in no process: one that is revoked or expires is a wrong key from the next
request on, everywhere. Every change stands in the audit log (app.services.audit).
"""

import hashlib
import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, bindparam, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from app import ids, scopes
from app.db.base import IdText, now
from app.models import ApiKey, Project
from app.services import audit
from app.services.audit import Actor

_PREFIX: Final = "sk-locum-"
#: Those of the operator are told by their beginning, as OpenAI's `sk-admin-`.
_ADMIN_PREFIX: Final = "sk-locum-admin-"
#: 32 bytes of chance are 43 characters.
_RANDOM_BYTES: Final = 32
_HINT_CHARS: Final = 4
#: How long a key that was replaced goes on to work, where nobody says.
GRACE: Final = timedelta(days=1)


class UnusableKey(ValueError):
    """A key of the caller's own choice that cannot be one; the message says why."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a good key says of who has it. Without a project it is the operator's."""

    key_id: str
    project_id: str | None
    scopes: Collection[str]
    is_disabled: bool


def _is_good() -> ColumnElement[bool]:
    """The condition for a key, joined with its project, if it has one."""
    return and_(
        ApiKey.revoked_at.is_(None),
        or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now()),
        Project.deleted_at.is_(None),
    )


#: Asked in every request, so made once.
_KNOWN: Final = (
    select(ApiKey.id, ApiKey.project_id, ApiKey.scopes, Project.disabled_at.is_not(None))
    .outerjoin(Project, Project.id == ApiKey.project_id)
    .where(ApiKey.sha256 == bindparam("sha256"), _is_good())
)
_GOOD: Final = (
    select(ApiKey.id)
    .outerjoin(Project, Project.id == ApiKey.project_id)
    .where(ApiKey.id == func.any(bindparam("ids", type_=ARRAY(IdText))), _is_good(), Project.disabled_at.is_(None))
)


async def known(session: AsyncSession, key: str) -> Known | None:
    """What is known of a key; None for one that is unknown, revoked or expired."""
    row = (await session.execute(_KNOWN, {"sha256": digest(key)})).one_or_none()
    return None if row is None else Known(*row)


async def still_good(session: AsyncSession, key_ids: Iterable[str]) -> set[str]:
    """Those of the keys that open something at this moment."""
    return set(await session.scalars(_GOOD, {"ids": list(key_ids)}))


async def create(
    session: AsyncSession,
    by: Actor,
    project: Project | None,
    name: str,
    *,
    scopes_of: Iterable[str] = scopes.EVERYTHING,
    expires_at: datetime | None = None,
    key: str | None = None,
) -> tuple[ApiKey, str]:
    """Makes a key of a project, or of the operator where there is none; gives its row and, for the only time, the key.

    `key` is one of the caller's own; the project may have it already. Raises `UnusableKey` if it is revoked, expired,
    another project's, or no secret; `scopes.UnknownScope`.
    """
    granted = scopes.checked(scopes_of if project is not None else [scopes.ADMIN])
    if project is not None and granted == [scopes.ADMIN]:
        raise scopes.UnknownScope("the scope 'admin' is for keys of the operator, which belong to no project")
    if key is not None and (row := await _of_the_project(session, project, key)) is not None:
        return row, key
    key = new_key(is_admin=project is None) if key is None else key
    row = ApiKey(
        id=ids.new(ids.API_KEY),
        project_id=None if project is None else project.id,
        name=name,
        sha256=digest(key),
        hint=_hint(key),
        scopes=granted,
        expires_at=expires_at,
    )
    session.add(row)
    await audit.append(session, by, "api_key.created", {"id": row.id, "data": _shown(row)}, project)
    return row, key


async def _of_the_project(session: AsyncSession, project: Project | None, key: str) -> ApiKey | None:
    if len(key) < len(_PREFIX) + 8 or not key.isascii() or not key.isprintable() or " " in key:
        raise UnusableKey("an API key must have 17 or more printable ASCII characters and no space")
    row = await session.scalar(select(ApiKey).where(ApiKey.sha256 == digest(key)))
    if row is None:
        return None
    owner = None if project is None else project.id
    if row.project_id != owner or row.revoked_at is not None or _is_over(row):
        raise UnusableKey("this API key is revoked, has expired or belongs to another project")
    return row


async def find(session: AsyncSession, key_id: str, *, lock: bool = False) -> tuple[ApiKey, Project | None] | None:
    """A key that is not revoked, with its project."""
    query = (
        select(ApiKey, Project)
        .outerjoin(Project, Project.id == ApiKey.project_id)
        .where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None), Project.deleted_at.is_(None))
    )
    row = (await session.execute(query.with_for_update(of=ApiKey) if lock else query)).one_or_none()
    return None if row is None else (row[0], row[1])


async def list_all(session: AsyncSession, project_id: str | None = None) -> list[tuple[ApiKey, Project | None]]:
    """The keys, revoked ones too, of one project or of all, in the order of their making, with their projects."""
    query = (
        select(ApiKey, Project)
        .outerjoin(Project, Project.id == ApiKey.project_id)
        .where(Project.deleted_at.is_(None))
        .order_by(ApiKey.created_at, ApiKey.id)
    )
    if project_id is not None:
        query = query.where(ApiKey.project_id == project_id)
    return [(key, project) for key, project in await session.execute(query)]


async def change(
    session: AsyncSession,
    by: Actor,
    row: ApiKey,
    project: Project | None,
    *,
    scopes_of: Sequence[str] | None = None,
    expires_at: datetime | None = None,
) -> None:
    """Changes the scopes of a key, or when it expires; None leaves it. Raises `scopes.UnknownScope`."""
    changed: dict[str, Any] = {}
    if scopes_of is not None:
        granted = scopes.checked(scopes_of)
        if (granted == [scopes.ADMIN]) != (project is None):
            raise scopes.UnknownScope("the scope 'admin' is for keys of the operator, which belong to no project")
        row.scopes = changed["scopes"] = granted
    if expires_at is not None:
        row.expires_at = expires_at
        changed["expires_at"] = int(expires_at.timestamp())
    await audit.append(session, by, "api_key.updated", {"id": row.id, "changes_requested": changed}, project)


async def rotate(
    session: AsyncSession,
    by: Actor,
    row: ApiKey,
    project: Project | None,
    *,
    grace: timedelta = GRACE,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Makes a key of the same name and scopes; the old one goes on to work for `grace`, if it does not expire before.

    The new one lives as long as the old one was to live, unless `expires_at` says otherwise. Gives it as `create`.
    """
    if expires_at is None and row.expires_at is not None:
        expires_at = now() + (row.expires_at - row.created_at)
    made = await create(session, by, project, row.name, scopes_of=row.scopes, expires_at=expires_at)
    ends = now() + grace
    if row.expires_at is None or row.expires_at > ends:
        await change(session, by, row, project, expires_at=ends)
    return made


async def revoke(session: AsyncSession, by: Actor, key_id: str) -> bool:
    """Ends a key at once; tells whether there was such a key that was not revoked."""
    found = await find(session, key_id, lock=True)
    if found is None:
        return False
    row, project = found
    row.revoked_at = now()
    await audit.append(session, by, "api_key.deleted", {"id": row.id}, project)
    return True


def state_of(row: ApiKey, project: Project | None) -> str:
    """`active`, or why the key opens nothing: `revoked`, `expired`, `disabled` with its project."""
    if row.revoked_at is not None:
        return "revoked"
    if _is_over(row):
        return "expired"
    return "disabled" if project is not None and project.disabled_at is not None else "active"


def _is_over(row: ApiKey) -> bool:
    return row.expires_at is not None and row.expires_at <= now()


def _shown(row: ApiKey) -> dict[str, Any]:
    ends = {} if row.expires_at is None else {"expires_at": int(row.expires_at.timestamp())}
    return {"name": row.name, "scopes": list(row.scopes), **ends}


def new_key(*, is_admin: bool = False) -> str:
    """A key that nobody can guess: `sk-locum-` or `sk-locum-admin-`, and 43 url-safe characters."""
    return (_ADMIN_PREFIX if is_admin else _PREFIX) + secrets.token_urlsafe(_RANDOM_BYTES)


def digest(key: str) -> bytes:
    """What the database knows of a key. A plain hash will do: there is nothing to guess in 32 random bytes."""
    return hashlib.sha256(key.encode()).digest()


def _hint(key: str) -> str:
    """What can be shown of a key: `sk-locum-...x7Qz`."""
    prefix = next((prefix for prefix in (_ADMIN_PREFIX, _PREFIX) if key.startswith(prefix)), "")
    return f"{prefix}...{key[-_HINT_CHARS:]}"
