"""What `locum keys` does, each in one transaction on the database of the settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import create_engine, create_sessions, transaction
from app.embedded.errors import CannotStart
from app.services import projects
from app.settings import Settings


async def create(settings: Settings, project: str, name: str) -> str:
    """A new key, named `name`, of the project with this name or id, which is made if it is not there."""
    async with _database(settings) as session:
        owner = await projects.find_project(session, project) or await projects.create_project(session, project)
        _, key = await projects.create_key(session, owner.id, name)
    return key


async def lines(settings: Settings, project: str | None) -> list[str]:
    """A line for each key, of one project or of all. Raises CannotStart if there is no such project."""
    async with _database(settings) as session:
        owner = None if project is None else await _existing(session, project)
        return [
            f"{key.id}  {key.hint:<17}  {owner.name}  {key.name}  {'revoked' if key.revoked_at else 'active'}"
            for key, owner in await projects.list_keys(session, owner)
        ]


async def revoke(settings: Settings, key_id: str) -> bool:
    """Ends a key; whether there was an active one of this id."""
    async with _database(settings) as session:
        return await projects.revoke_key(session, key_id)


async def project_id(settings: Settings, project: str) -> str:
    """The id of the project with this name or id. Raises CannotStart if there is none."""
    async with _database(settings) as session:
        return await _existing(session, project)


async def _existing(session: AsyncSession, project: str) -> str:
    found = await projects.find_project(session, project)
    if found is None:
        raise CannotStart(f"there is no project {project}")
    return found.id


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[AsyncSession]:
    engine = create_engine(settings)
    try:
        async with transaction(create_sessions(engine)) as session:
            yield session
    finally:
        await engine.dispose()
