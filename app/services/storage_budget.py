"""How much of the storage a project may fill (LOCUM_PROJECT_STORAGE_BYTES), and how much it has filled.

The sum is a row that the database keeps by itself as files and parts come and go. Who adds one holds that row until the
commit: of many that come to the edge at once, exactly those get in for which there is room.
"""

from typing import Final, NamedTuple

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import Sessions, transaction
from app.errors import StorageFull
from app.models import File, ProjectStorage, UploadPart
from app.models.file import WITHOUT_CONTENTS

log = structlog.get_logger()

_COUNTED: Final = sa.union_all(
    sa.select(File.project_id, File.bytes).where(File.status != WITHOUT_CONTENTS),
    sa.select(UploadPart.project_id, UploadPart.bytes),
).subquery()


class Room(NamedTuple):
    """What a project has left of its limit."""

    bytes: int
    limit: int


async def held(session: AsyncSession, project_id: str) -> int:
    """How many bytes the project has in the storage."""
    statement = sa.select(ProjectStorage.bytes).where(ProjectStorage.project_id == project_id)
    return await session.scalar(statement) or 0


async def room(sessions: Sessions, project_id: str, limit: int) -> Room | None:
    """What the project has left, as far as is known before the bytes come; None for no limit.

    Raises StorageFull where there is no room at all.
    """
    if not limit:
        return None
    async with transaction(sessions) as session:
        left = limit - await held(session, project_id)
    if left <= 0:
        raise StorageFull.of(limit)
    return Room(left, limit)


async def check(session: AsyncSession, project_id: str, limit: int) -> None:
    """To be called in the transaction that adds a row with bytes, after it. Raises StorageFull if they are too many."""
    if limit and await held(session, project_id) > limit:
        raise StorageFull.of(limit)


async def recount(sessions: Sessions) -> int:
    """Counts anew what each project has, and puts right the sums that are wrong; returns how many were.

    They are not, unless somebody has changed rows past the triggers, as a restore without them does.
    """
    wrong = 0
    async with transaction(sessions) as session:
        suspects = (await session.scalars(_differing())).all()
    for project_id in suspects:
        async with transaction(sessions) as session:
            wrong += await _recount(session, project_id)
    return wrong


def _differing() -> sa.Select[str]:
    """The projects whose sum is not that of their rows; one may be at work on some of them."""
    total = sa.func.sum(_COUNTED.c.bytes).label("bytes")
    actual = sa.select(_COUNTED.c.project_id, total).group_by(_COUNTED.c.project_id).subquery()
    joined = sa.join(ProjectStorage, actual, ProjectStorage.project_id == actual.c.project_id, full=True)
    project_id = sa.func.coalesce(ProjectStorage.project_id, actual.c.project_id)
    differs = sa.func.coalesce(ProjectStorage.bytes, 0) != sa.func.coalesce(actual.c.bytes, 0)
    return sa.select(project_id).select_from(joined).where(differs)


async def _recount(session: AsyncSession, project_id: str) -> bool:
    # Whoever has added or removed something either was committed before we have the row, and is seen, or adds to it
    # after us. So there must be a row.
    await session.execute(
        sa.text("INSERT INTO project_storage VALUES (:project, 0) ON CONFLICT DO NOTHING"), {"project": project_id}
    )
    row = sa.select(ProjectStorage.bytes).where(ProjectStorage.project_id == project_id).with_for_update()
    counted = await session.scalar(row)
    total = sa.select(sa.func.coalesce(sa.func.sum(_COUNTED.c.bytes), 0)).where(_COUNTED.c.project_id == project_id)
    actual = int(await session.scalar(total) or 0)
    if counted == actual:
        return False
    log.error("stored_bytes_were_wrong", project_id=project_id, counted=counted, actual=actual)
    update = sa.update(ProjectStorage).where(ProjectStorage.project_id == project_id).values(bytes=actual)
    await session.execute(update)
    return True
