"""The audit log: who changed keys, projects and settings, when, and from where. Entries are only ever added.

An entry is written in the transaction of the change that it tells of: there is neither one without the other. Those who
write wait for each other, until the commit, so that the chain (app.services.audit_chain) never forks. So an entry is
the last thing that a transaction writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app import ids
from app.db.base import now
from app.models import AuditEntry, Project
from app.services import audit_chain
from app.text import storable, storable_value

#: Ours among the advisory locks of the database: one writer at a time.
_LOCK: Final = 0x10C0_A0D1
_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: the id of a key, or `cli:<user of the operating system>`; and the address it came from."""

    id: str
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries are wanted; None is all. Bounds of time include what they name."""

    types: Sequence[str] | None = None
    actors: Sequence[str] | None = None
    projects: Sequence[str] | None = None
    resources: Sequence[str] | None = None
    since: datetime | None = None
    until: datetime | None = None


async def lock(session: AsyncSession) -> None:
    """Keeps other writers off the log until the end of the transaction."""
    await session.execute(select(func.pg_advisory_xact_lock(_LOCK)))


async def append(
    session: AsyncSession, by: Actor, kind: str, details: dict[str, Any], project: Project | None = None
) -> AuditEntry:
    """Adds an entry of the type `kind`, under a name of OpenAI's. `details` hold strings, whole numbers, lists and
    objects, and no secret."""
    await session.flush()
    await lock(session)
    last = await head(session)
    entry = AuditEntry(
        seq=1 if last is None else last.seq + 1,
        id=ids.new(ids.AUDIT_ENTRY),
        effective_at=now(),
        type=kind,
        project_id=None if project is None else project.id,
        project_name=None if project is None else storable(project.name),
        actor=storable(by.id),
        address=by.address,
        details=storable_value(details),
        previous=audit_chain.START if last is None else last.hash,
    )
    entry.hash = audit_chain.hash_of(entry)
    session.add(entry)
    await session.flush()
    return entry


async def head(session: AsyncSession) -> AuditEntry | None:
    """The newest entry."""
    return await session.scalar(select(AuditEntry).order_by(AuditEntry.seq.desc()).limit(1))


async def newest(session: AsyncSession, kind: str) -> AuditEntry | None:
    """The newest entry of a type."""
    query = select(AuditEntry).where(AuditEntry.type == kind).order_by(AuditEntry.seq.desc()).limit(1)
    return await session.scalar(query)


async def seq_of(session: AsyncSession, entry_id: str) -> int | None:
    """The place of an entry in the log; None if there is none of this id."""
    return await session.scalar(select(AuditEntry.seq).where(AuditEntry.id == entry_id))


def matching(wanted: Filter) -> Select[AuditEntry]:
    """Selects the entries that are wanted."""
    query = select(AuditEntry)
    for column, values in (
        (AuditEntry.type, wanted.types),
        (AuditEntry.actor, wanted.actors),
        (AuditEntry.project_id, wanted.projects),
        (AuditEntry.details["id"].astext, wanted.resources),
    ):
        if values is not None:
            query = query.where(column == func.any(list(values)))
    if wanted.since is not None:
        query = query.where(AuditEntry.effective_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(AuditEntry.effective_at <= wanted.until)
    return query


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look through the whole log has found: its length and its last hash, up to where it is broken first.

    `has_known`: whether an entry has the hash that was asked for.
    """

    count: int
    head: bytes
    broken: audit_chain.Break | None
    has_known: bool


async def verify(session: AsyncSession, known: bytes | None = None) -> Verdict:
    """Reads the log from its beginning. `known` is the hash of an entry that must be in it."""
    checker = audit_chain.Checker()
    has_known = known is None or known == audit_chain.START
    last = -(2**63)
    while True:
        query = select(AuditEntry).where(AuditEntry.seq > last).order_by(AuditEntry.seq).limit(_PAGE)
        entries = (await session.scalars(query.execution_options(populate_existing=True))).all()
        checker.read(entries)
        has_known = has_known or any(entry.hash == known for entry in entries)
        if checker.broken is not None or len(entries) < _PAGE:
            return Verdict(checker.count, checker.head, checker.broken, has_known)
        last = entries[-1].seq
        session.expunge_all()
