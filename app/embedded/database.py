"""The database of the settings, for a command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import create_engine, create_sessions, transaction
from app.embedded.errors import CannotStart
from app.models import Project
from app.services import projects
from app.settings import Settings


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[AsyncSession]:
    """One transaction on it."""
    engine = create_engine(settings)
    try:
        async with transaction(create_sessions(engine)) as session:
            yield session
    finally:
        await engine.dispose()


async def existing(session: AsyncSession, project: str, *, lock: bool = False) -> Project:
    """The project with this name or id. Raises CannotStart if there is none."""
    found = await projects.find(session, project, lock=lock)
    if found is None:
        raise CannotStart(f"there is no project {project}")
    return found


async def project_id(settings: Settings, project: str) -> str:
    """The id of the project with this name or id. Raises CannotStart if there is none."""
    async with opened(settings) as session:
        return (await existing(session, project)).id
