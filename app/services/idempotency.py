"""Requests that are sent again: what was answered under a key of the client's (see app.idempotency)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.base import now
from app.errors import InvalidRequest
from app.models import IdempotencyKey

#: How long an answer is kept.
LIFETIME: Final = timedelta(hours=24)

_DROPPED_AT_ONCE: Final = 1000


@dataclass(frozen=True)
class Answer:
    """What a request was answered with: a body, or the events of `run_id` behind the place `after`."""

    status: int
    body: bytes | None = None
    run_id: str | None = None
    after: str | None = None


async def claim(session: AsyncSession, project_id: str, key: str, fingerprint: bytes) -> Answer | None:
    """Takes `key` for the request that `session` is the transaction of; gives the answer if there was one before.

    Waits while another transaction has the key: once that is committed its answer is given, and if it is rolled back
    the key is free. Raises InvalidRequest if the request before was another one.
    """
    row = {"project_id": project_id, "key": key, "fingerprint": fingerprint, "created_at": now()}
    mine = (IdempotencyKey.project_id == project_id, IdempotencyKey.key == key)
    taking = insert(IdempotencyKey).values(row).on_conflict_do_nothing().returning(IdempotencyKey.key)
    while await session.scalar(taking) is None:
        found = await session.scalar(sa.select(IdempotencyKey).where(*mine))
        if found is not None:
            return _answer(found, fingerprint)
        # Dropped in between, because its time was over.
    return None


def _answer(row: IdempotencyKey, fingerprint: bytes) -> Answer:
    if row.fingerprint != fingerprint:
        raise InvalidRequest(
            f"The Idempotency-Key '{row.key}' was used before, for a request with another method, path or body.",
            param="Idempotency-Key",
            code="idempotency_key_reused",
        )
    if row.status is None:
        raise RuntimeError(f"the answer under the key {row.key!r} was not kept")
    return Answer(row.status, row.body, row.run_id, row.after)


async def keep(session: AsyncSession, project_id: str, key: str, answer: Answer) -> None:
    """Writes the answer under a key that `session` has claimed."""
    mine = sa.update(IdempotencyKey).where(IdempotencyKey.project_id == project_id, IdempotencyKey.key == key)
    values = {"status": answer.status, "body": answer.body, "run_id": answer.run_id, "after": answer.after}
    await session.execute(mine.values(values).execution_options(synchronize_session=False))


async def drop_old(session: AsyncSession) -> int:
    """Drops keys whose time is over, some at once; tells how many."""
    old = sa.select(IdempotencyKey.project_id, IdempotencyKey.key).where(IdempotencyKey.created_at < now() - LIFETIME)
    some = old.limit(_DROPPED_AT_ONCE).with_for_update(skip_locked=True)
    place = sa.tuple_(IdempotencyKey.project_id, IdempotencyKey.key)
    dropping = sa.delete(IdempotencyKey).where(place.in_(some)).returning(IdempotencyKey.key)
    return len((await session.scalars(dropping.execution_options(synchronize_session=False))).all())
