"""`/organization/audit_logs`: what changed keys, projects and settings, in the shape of OpenAI's administration API."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from app.deps import SessionDep
from app.errors import NotFound
from app.models import AuditEntry
from app.routers.organization import OperatorDep
from app.schemas.organization import AuditPage
from app.services import audit

router = APIRouter(prefix="/organization", tags=["Organization"])

_Many = list[str] | None
_Cursor = Annotated[str | None, Query(max_length=256)]
#: What is for the chain and for the next comparison alone.
_UNSHOWN = ("digests", "salt")


def _several(name: str) -> Any:
    return Query(alias=f"{name}[]", max_length=100)


def _bound(name: str) -> Any:
    return Query(alias=f"effective_at[{name}]", ge=0, le=253_402_300_799)


@router.get("/audit_logs")
async def list_audit_logs(
    _: OperatorDep,
    session: SessionDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: _Cursor = None,
    before: _Cursor = None,
    event_types: Annotated[_Many, _several("event_types")] = None,
    actor_ids: Annotated[_Many, _several("actor_ids")] = None,
    actor_emails: Annotated[_Many, _several("actor_emails")] = None,
    project_ids: Annotated[_Many, _several("project_ids")] = None,
    resource_ids: Annotated[_Many, _several("resource_ids")] = None,
    gt: Annotated[int | None, _bound("gt")] = None,
    gte: Annotated[int | None, _bound("gte")] = None,
    lt: Annotated[int | None, _bound("lt")] = None,
    lte: Annotated[int | None, _bound("lte")] = None,
) -> AuditPage:
    """Lists entries, the newest first. Nobody here has an email address, so a filter of these finds nothing."""
    wanted = audit.Filter(event_types, actor_ids, project_ids, resource_ids)
    query = audit.matching(wanted).where(*_within(gt, gte, lt, lte))
    if actor_emails is not None:
        query = query.where(AuditEntry.seq < 0)
    if after is not None:
        query = query.where(AuditEntry.seq < await _place(session, after))
    if before is not None:
        query = query.where(AuditEntry.seq > await _place(session, before))
    backwards = before is not None and after is None
    order = AuditEntry.seq.asc() if backwards else AuditEntry.seq.desc()
    found = list(await session.scalars(query.order_by(order).limit(limit + 1)))
    rows = found[:limit][::-1] if backwards else found[:limit]
    ends = {"first_id": rows[0].id, "last_id": rows[-1].id} if rows else {"first_id": None, "last_id": None}
    return AuditPage(data=[_shown(row) for row in rows], has_more=len(found) > limit, **ends)


def _within(gt: int | None, gte: int | None, lt: int | None, lte: int | None) -> list[Any]:
    """Bounds in whole seconds, as times are shown."""
    at = AuditEntry.effective_at
    lower = [bound for bound in (None if gt is None else gt + 1, gte) if bound is not None]
    upper = [bound for bound in (lt, None if lte is None else lte + 1) if bound is not None]
    return [*(at >= _time(bound) for bound in lower), *(at < _time(bound) for bound in upper)]


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(min(seconds, 253_402_300_799), UTC)


async def _place(session: SessionDep, entry_id: str) -> int:
    place = None if "\0" in entry_id else await audit.seq_of(session, entry_id)
    if place is None:
        raise NotFound(f"No audit log found with id '{entry_id}'.")
    return place


def _shown(entry: AuditEntry) -> dict[str, Any]:
    project = {"id": entry.project_id, "name": entry.project_name}
    details = {name: value for name, value in entry.details.items() if name not in _UNSHOWN}
    return {
        "id": entry.id,
        "type": entry.type,
        "effective_at": int(entry.effective_at.timestamp()),
        **({"project": project} if entry.project_id is not None else {}),
        "actor": _actor(entry),
        entry.type: details,
    }


def _actor(entry: AuditEntry) -> dict[str, Any]:
    """A key, or, as a session, whoever gave a command."""
    if entry.actor.startswith("key_"):
        key = {"id": entry.actor, "type": "service_account", "ip_address": entry.address}
        return {"type": "api_key", "api_key": key}
    return {"type": "session", "session": {"user": {"id": entry.actor}, "ip_address": entry.address}}
