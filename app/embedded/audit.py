"""What `locum audit` does, on the database of the settings."""

from typing import Any

from app.embedded.database import opened
from app.embedded.keys import seconds
from app.models import AuditEntry
from app.services import audit
from app.services.audit import Filter, Verdict
from app.settings import Settings


async def listed(settings: Settings, wanted: Filter, limit: int) -> list[dict[str, Any]]:
    """The newest `limit` entries that are wanted, the oldest of them first."""
    async with opened(settings) as session:
        query = audit.matching(wanted).order_by(AuditEntry.seq.desc()).limit(limit)
        return [described(entry) for entry in reversed((await session.scalars(query)).all())]


async def verify(settings: Settings, known: bytes | None) -> Verdict:
    """Looks through the whole log; `known` is the hash of an entry that must be in it."""
    async with opened(settings) as session:
        return await audit.verify(session, known)


def described(entry: AuditEntry) -> dict[str, Any]:
    """An entry as `--json` has it."""
    return {
        "seq": entry.seq,
        "id": entry.id,
        "effective_at": seconds(entry.effective_at),
        "type": entry.type,
        "project_id": entry.project_id,
        "project": entry.project_name,
        "actor": entry.actor,
        "address": entry.address,
        "details": entry.details,
        "hash": bytes(entry.hash).hex(),
    }
