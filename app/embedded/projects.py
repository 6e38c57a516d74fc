"""What `locum projects` does, on the database of the settings."""

from collections.abc import AsyncIterator
from typing import Any

from app.auth import local_actor
from app.db.session import transaction
from app.embedded.database import existing, opened
from app.embedded.errors import CannotStart
from app.embedded.keys import seconds
from app.models import Project
from app.resources import open_resources
from app.services import project_removal, projects
from app.settings import Settings


async def listed(settings: Settings) -> list[dict[str, Any]]:
    """All projects, those too that are being deleted."""
    async with opened(settings) as session:
        return [described(project) for project in await projects.list_all(session, with_deleted=True)]


async def shown(settings: Settings, project: str) -> dict[str, Any]:
    """One project. Raises CannotStart if there is none of this name or id."""
    async with opened(settings) as session:
        return described(await existing(session, project))


async def create(settings: Settings, name: str) -> dict[str, Any]:
    """A new project. Raises CannotStart if it can have no such name."""
    async with opened(settings) as session:
        try:
            return described(await projects.create(session, local_actor(), name))
        except projects.UnusableName as error:
            raise CannotStart(str(error)) from None


async def rename(settings: Settings, project: str, name: str) -> dict[str, Any]:
    """Gives a project another name. Raises CannotStart if there is none, or it can have no such name."""
    async with opened(settings) as session:
        found = await existing(session, project, lock=True)
        try:
            await projects.rename(session, local_actor(), found, name)
        except projects.UnusableName as error:
            raise CannotStart(str(error)) from None
        return described(found)


async def switch(settings: Settings, project: str, *, on: bool) -> dict[str, Any]:
    """Enables or disables a project. Raises CannotStart if there is none."""
    async with opened(settings) as session:
        found = await existing(session, project, lock=True)
        await (projects.enable if on else projects.disable)(session, local_actor(), found)
        return described(found)


async def delete(settings: Settings, project: str) -> AsyncIterator[tuple[str, int]]:
    """Deletes a project with all it has, in pieces; goes on with one whose deletion was broken off, by its id.

    Raises CannotStart if there is none.
    """
    async with open_resources(settings) as resources:
        async with transaction(resources.sessions) as session:
            doomed = await session.get(Project, project)
            if doomed is None or doomed.deleted_at is None:
                doomed = await existing(session, project, lock=True)
                await projects.begin_deletion(session, local_actor(), doomed)
        async for piece in project_removal.remove(resources.sessions, resources.storage, doomed.id):
            yield piece


def described(project: Project) -> dict[str, Any]:
    """A project as `--json` has it; times in seconds since 1970, as in the API."""
    state = "deleting" if project.deleted_at else "disabled" if project.disabled_at else "active"
    return {
        "id": project.id,
        "name": project.name,
        "created_at": seconds(project.created_at),
        "disabled_at": seconds(project.disabled_at),
        "state": state,
    }
