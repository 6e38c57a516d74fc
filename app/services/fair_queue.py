"""What waits for workers, in an order that is fair over projects, found in as many steps however much of it waits.

Of each project only the foremost are looked at, in the index of its queue; and of the projects, where there are very
many, those whose objects have waited longest and some others, from a place on that is another each time. So a project
that floods its queue delays nobody, and none is passed over for ever.
"""

from typing import Any, Final

from sqlalchemy import CTE, ColumnElement, FromClause, and_, bindparam, func, literal_column, select

from app import ids
from app.db.base import IdText
from app.models import Project

#: How many projects one claim looks at: so many from a place on, as many from the beginning, and those of as many
#: objects that have waited longest.
_PROJECTS: Final = 32


def parameters(limit: int) -> dict[str, Any]:
    """The parameters that `candidates` wants: `limit`, and the place from which on projects are looked at."""
    return {"limit": limit, "from_project": ids.new(ids.PROJECT)}


def projects(project_id: Any, waits: ColumnElement[bool], waited_since: Any, seq: Any) -> FromClause:
    """Some projects of which something `waits`, as a column `id`; all, if they are few.

    Those that are not open are left out, at the end: they have their places, so that the rest costs the same.

    `project_id`, `waited_since` and `seq` are columns of one table that has an index on them, where `waits` holds, in
    this order, and one on the last two.
    """
    start = bindparam("from_project", type_=IdText)
    behind = _walk("behind", project_id, waits, project_id > start)
    before = _walk("before", project_id, waits, project_id <= start)
    oldest = select(project_id.label("id")).where(waits).order_by(waited_since, seq).limit(_PROJECTS).subquery("oldest")
    found = (
        select(behind.c.id)
        .where(behind.c.id.is_not(None))
        .union(select(before.c.id).where(before.c.id.is_not(None)), select(oldest.c.id))
    )
    every = found.subquery("found")
    open_ones = select(every.c.id).join(Project, Project.id == every.c.id).where(is_open())
    return open_ones.subquery("projects")


def is_open() -> ColumnElement[bool]:
    """The condition for projects whose objects are worked on: what a disabled one has waits."""
    return and_(Project.disabled_at.is_(None), Project.deleted_at.is_(None))


def _walk(name: str, project_id: Any, waits: ColumnElement[bool], part: ColumnElement[bool]) -> CTE:
    """The first projects of a part of them: one step in the index for each, however much it has."""
    first = select(func.min(project_id).label("id"), literal_column("1").label("number")).where(waits, part)
    walk = first.cte(name, recursive=True)
    following = select(func.min(project_id)).where(waits, part, project_id > walk.c.id).scalar_subquery()
    return walk.union_all(select(following, walk.c.number + 1).where(walk.c.id.is_not(None), walk.c.number < _PROJECTS))
