"""Projects: the operator's side of them. Every change stands in the audit log (app.services.audit)."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import ids
from app.db.base import now
from app.models import Project
from app.services import audit
from app.services.audit import Actor

#: As in OpenAI's own.
MAX_NAME = 256


class UnusableName(ValueError):
    """A name that no project can have; the message says why."""


async def create(session: AsyncSession, by: Actor, name: str) -> Project:
    """Makes a project. Names need not differ: the id tells projects apart. Raises UnusableName."""
    project = Project(id=ids.new(ids.PROJECT), name=_usable(name))
    session.add(project)
    await audit.append(session, by, "project.created", {"id": project.id, "data": {"name": name}}, project)
    return project


async def find(session: AsyncSession, name_or_id: str, *, lock: bool = False) -> Project | None:
    """The project with this id, else the oldest with this name. Those that are being deleted are not found."""
    matching = ((Project.id == name_or_id) | (Project.name == name_or_id)) & Project.deleted_at.is_(None)
    order = [(Project.id == name_or_id).desc(), Project.created_at]
    query = select(Project).where(matching).order_by(*order).limit(1)
    return await session.scalar(query.with_for_update() if lock else query)


async def found_or_made(session: AsyncSession, by: Actor, name_or_id: str) -> Project:
    """The project with this id or name, which is made if it is not there. Raises UnusableName."""
    return await find(session, name_or_id) or await create(session, by, name_or_id)


async def get(session: AsyncSession, project_id: str, *, lock: bool = False) -> Project | None:
    """The project with this id, unless it is being deleted."""
    query = select(Project).where(Project.id == project_id, Project.deleted_at.is_(None))
    return await session.scalar(query.with_for_update() if lock else query)


async def list_all(session: AsyncSession, *, with_deleted: bool = False) -> Sequence[Project]:
    """All projects in the order of their making; those that are being deleted are left out unless asked for."""
    query = select(Project).order_by(Project.created_at, Project.id)
    return (await session.scalars(query if with_deleted else query.where(Project.deleted_at.is_(None)))).all()


async def rename(session: AsyncSession, by: Actor, project: Project, name: str) -> None:
    """Gives a project another name. Raises UnusableName."""
    project.name = _usable(name)
    await _note(session, by, project, title=name)


async def disable(session: AsyncSession, by: Actor, project: Project) -> bool:
    """Has all keys of a project refused from now on, and its queued runs and files wait. Tells whether that was new."""
    if project.disabled_at is not None:
        return False
    project.disabled_at = now()
    await audit.append(session, by, "project.archived", {"id": project.id}, project)
    return True


async def enable(session: AsyncSession, by: Actor, project: Project) -> bool:
    """Undoes `disable`. Tells whether there was something to undo."""
    if project.disabled_at is None:
        return False
    project.disabled_at = None
    await _note(session, by, project, status="active")
    return True


async def begin_deletion(session: AsyncSession, by: Actor, project: Project) -> None:
    """Takes a project away from everybody; what it has goes by app.services.project_removal."""
    project.deleted_at = now()
    await audit.append(session, by, "project.deleted", {"id": project.id}, project)


async def _note(session: AsyncSession, by: Actor, project: Project, **changes: str) -> None:
    await audit.append(session, by, "project.updated", {"id": project.id, "changes_requested": changes}, project)


def _usable(name: str) -> str:
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise UnusableName(f"the name of a project must have 1 to {MAX_NAME} printable characters")
    return name
