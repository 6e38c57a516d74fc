"""How many runs of a project may wait for a worker."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.statuses import RunStatus
from app.errors import RateLimited
from app.models import Run
from app.pagination import scoped
from app.settings import Settings

_RETRY_SECONDS = 2


async def refuse_beyond(session: AsyncSession, settings: Settings, project_id: str) -> None:
    """Raises RateLimited if `settings.max_queued_runs` of the project are queued already.

    Requests at the same time do not see each other's runs, so the limit is passed by a few at most.
    """
    if settings.max_queued_runs is None:
        return
    queued = scoped(Run, project_id).where(Run.status == RunStatus.QUEUED).limit(settings.max_queued_runs)
    count = await session.scalar(select(func.count()).select_from(queued.with_only_columns(Run.id).subquery()))
    if count == settings.max_queued_runs:
        message = f"This project has {count} queued runs, which is the maximum. Please try again when some have begun."
        raise RateLimited(message, retry_after=_RETRY_SECONDS)
