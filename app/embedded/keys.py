"""What `locum keys` does, each in one transaction on the database of the settings."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app import scopes
from app.auth import local_actor
from app.db.base import now
from app.embedded.database import existing, opened
from app.embedded.errors import CannotStart
from app.models import ApiKey, Project
from app.services import api_keys, projects
from app.settings import Settings


async def create(
    settings: Settings,
    project: str | None,
    name: str,
    *,
    wanted: Sequence[str] = scopes.EVERYTHING,
    lives: timedelta | None = None,
) -> dict[str, Any]:
    """A new key, named `name`, of the project with this name or id, which is made if it is not there; without one, of
    the operator. Raises CannotStart if there is no such scope, or the project can have no such name."""
    by = local_actor()
    async with opened(settings) as session:
        try:
            owner = None if project is None else await projects.found_or_made(session, by, project)
            row, key = await api_keys.create(
                session, by, owner, name, scopes_of=wanted, expires_at=None if lives is None else now() + lives
            )
        except (scopes.UnknownScope, projects.UnusableName) as error:
            raise CannotStart(str(error)) from None
        return {**described(row, owner), "key": key}


async def listed(settings: Settings, project: str | None) -> list[dict[str, Any]]:
    """The keys of one project or of all. Raises CannotStart if there is no such project."""
    async with opened(settings) as session:
        owner = None if project is None else (await existing(session, project)).id
        return [described(key, owner) for key, owner in await api_keys.list_all(session, owner)]


async def rotate(settings: Settings, key_id: str, grace: timedelta, lives: timedelta | None) -> dict[str, Any]:
    """A new key in the place of another, which goes on to work for `grace`. Raises CannotStart if there is none."""
    async with opened(settings) as session:
        row, owner = await _active(session, key_id)
        expires_at = None if lives is None else now() + lives
        new, key = await api_keys.rotate(session, local_actor(), row, owner, grace=grace, expires_at=expires_at)
        return {**described(new, owner), "key": key, "replaces": described(row, owner)}


async def revoke(settings: Settings, key_id: str) -> bool:
    """Ends a key; whether there was an active one of this id."""
    async with opened(settings) as session:
        return await api_keys.revoke(session, local_actor(), key_id)


async def _active(session: AsyncSession, key_id: str) -> tuple[ApiKey, Project | None]:
    found = await api_keys.find(session, key_id, lock=True)
    if found is None or api_keys.state_of(*found) == "expired":
        raise CannotStart(f"there is no active key {key_id}")
    return found


def described(key: ApiKey, project: Project | None) -> dict[str, Any]:
    """A key as `--json` has it; times in seconds since 1970, as in the API."""
    return {
        "id": key.id,
        "name": key.name,
        "hint": key.hint,
        "project_id": key.project_id,
        "project": None if project is None else project.name,
        "scopes": list(key.scopes),
        "created_at": seconds(key.created_at),
        "expires_at": seconds(key.expires_at),
        "last_used_at": seconds(key.last_used_at),
        "state": api_keys.state_of(key, project),
    }


def seconds(at: datetime | None) -> int | None:
    """A time as the API has it."""
    return None if at is None else int(at.timestamp())
