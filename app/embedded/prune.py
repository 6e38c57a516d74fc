"""What `locum prune` does: a whole round of pruning at once."""

from app.db.session import create_engine, create_sessions
from app.embedded.database import project_id
from app.embedded.errors import CannotStart
from app.services.prune_sweep import retention_of
from app.services.pruning import prune as pages
from app.settings import Settings
from app.storage import create_storage


async def prune(settings: Settings, project: str | None, *, dry_run: bool) -> list[str]:
    """Deletes, or counts, what the settings say, in one project (by name or id) or in all; gives a line for each kind.

    Raises CannotStart if the settings keep everything, or if there is no such project.
    """
    retention = retention_of(settings, None if project is None else await project_id(settings, project))
    if not retention:
        raise CannotStart("nothing to prune: give --threads-days, --vector-stores-days or --files-days")
    counts: dict[str, int] = {}
    engine, storage = create_engine(settings, is_patient=True), create_storage(settings)
    try:
        async for done in pages(create_sessions(engine).of_all(), storage, retention, dry_run=dry_run):
            counts[done.kind] = counts.get(done.kind, 0) + done.count
    finally:
        await storage.aclose()
        await engine.dispose()
    verb = "would be deleted" if dry_run else "deleted"
    return [f"{count:,} {kind} {verb}" for kind, count in counts.items()] or ["nothing to delete"]
