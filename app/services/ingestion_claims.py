"""How ingestion workers come by the files that wait, and keep them, as run_claims has it for runs.

Leases and pauses are counted by the database's clock alone. Everything an ingestion writes is guarded by `held`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    CTE,
    ColumnElement,
    Executable,
    Integer,
    Interval,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.db.base import Json
from app.domain.statuses import FileStatus
from app.models import File, VectorStoreFile
from app.services import fair_queue
from app.signals import ingestion_after_commit


class FileLost(Exception):
    """The file is no longer this worker's: taken over, cancelled, detached or deleted. Nothing more is written."""


class Place(NamedTuple):
    """A file in a vector store."""

    file_id: str
    vector_store_id: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A file of a vector store that is being ingested under a new attempt."""

    file_id: str
    vector_store_id: str
    project_id: str
    attempt: int
    tries: int
    filename: str
    sha256: bytes
    chunking_strategy: Json

    @property
    def place(self) -> Place:
        return Place(self.file_id, self.vector_store_id)


#: As the indexes have it: a parameter would hide from Postgres that they fit.
_IN_PROGRESS: Final[ColumnElement[str]] = literal_column("'in_progress'")


def _claimable(file: type[VectorStoreFile]) -> ColumnElement[bool]:
    unheld = or_(file.lease_expires_at.is_(None), file.lease_expires_at <= func.now())
    return and_(file.status == _IN_PROGRESS, file.ready_at <= func.now(), unheld)


def _waiting() -> CTE:
    """The files to claim next, locked: fair over projects, and of each project those first that waited longest.

    A project's place is that of its files under way, and of those that go before it in this claim.
    """
    waiting, first, held = aliased(VectorStoreFile), aliased(VectorStoreFile), aliased(VectorStoreFile)
    projects = fair_queue.projects(waiting.project_id, waiting.status == _IN_PROGRESS, waiting.ready_at, waiting.seq)
    load = (
        select(held.project_id, func.count().label("files"))
        .where(held.status == _IN_PROGRESS, held.lease_expires_at.is_not(None), held.lease_expires_at > func.now())
        .group_by(held.project_id)
        .cte("load")
    )
    turn = func.row_number().over(order_by=(first.ready_at, first.seq))
    foremost = (
        select(first.id, first.vector_store_id, first.ready_at, first.seq, turn.label("turn"))
        .where(first.project_id == projects.c.id, _claimable(first))
        .order_by(first.ready_at, first.seq)
        .limit(bindparam("limit"))
        .lateral("foremost")
    )
    place = (func.coalesce(load.c.files, 0) + foremost.c.turn).label("place")
    # As for runs: run_claims.
    best = (
        select(foremost.c.id, foremost.c.vector_store_id, place)
        .select_from(projects)
        .join(foremost, true())
        .outerjoin(load, load.c.project_id == projects.c.id)
        .order_by(place, foremost.c.ready_at, foremost.c.seq)
        .limit(2 * bindparam("limit", type_=Integer()))
        .cte("best")
    )
    is_best = and_(VectorStoreFile.id == best.c.id, VectorStoreFile.vector_store_id == best.c.vector_store_id)
    return (
        select(VectorStoreFile.id, VectorStoreFile.vector_store_id)
        .join(best, is_best)
        .where(_claimable(VectorStoreFile))
        .order_by(best.c.place, VectorStoreFile.ready_at, VectorStoreFile.seq)
        .limit(bindparam("limit"))
        .with_for_update(of=VectorStoreFile, skip_locked=True)
        .cte("waiting")
    )


def _claim() -> Executable:
    waiting = _waiting()
    file = VectorStoreFile
    return (
        update(file)
        .where(file.id == waiting.c.id, file.vector_store_id == waiting.c.vector_store_id, File.id == file.id)
        .values(
            attempt=file.attempt + 1,
            tries=file.tries + 1,
            lease_expires_at=func.now() + bindparam("lease", type_=Interval()),
        )
        .returning(
            file.id,
            file.vector_store_id,
            file.project_id,
            file.attempt,
            file.tries,
            File.filename,
            File.sha256,
            file.chunking_strategy,
        )
        .execution_options(synchronize_session=False)
    )


#: Made once: to build it takes SQLAlchemy longer than Postgres takes to answer it.
_CLAIM: Final = _claim()


async def claim(session: AsyncSession, lease_seconds: float, limit: int) -> list[Claim]:
    """Takes the next files that wait, or whose worker is gone; at most `limit` of them."""
    parameters = fair_queue.parameters(limit) | {"lease": timedelta(seconds=lease_seconds)}
    return [Claim(*row) for row in await session.execute(_CLAIM, parameters)]


def _is(claim: Claim) -> ColumnElement[bool]:
    return and_(
        VectorStoreFile.id == claim.file_id,
        VectorStoreFile.vector_store_id == claim.vector_store_id,
        VectorStoreFile.attempt == claim.attempt,
        VectorStoreFile.status == FileStatus.IN_PROGRESS,
    )


async def hold(session: AsyncSession, claim: Claim) -> None:
    """Keeps the file this worker's until the end of the transaction: a cancel waits so long. Raises FileLost."""
    statement = select(VectorStoreFile.id).where(_is(claim)).with_for_update(read=True)
    if await session.scalar(statement) is None:
        raise FileLost


async def note(session: AsyncSession, claim: Claim, **values: Any) -> None:
    """Changes the row of the file. Raises FileLost."""
    statement = update(VectorStoreFile).where(_is(claim)).values(**values).returning(VectorStoreFile.id)
    if await session.scalar(statement.execution_options(synchronize_session=False)) is None:
        raise FileLost


async def renew(session: AsyncSession, held: Mapping[Place, int], lease_seconds: float) -> list[Place]:
    """Renews the leases of `held` (attempts by file); returns the files that are still held so."""
    file = VectorStoreFile
    attempts = [(*place, attempt) for place, attempt in held.items()]
    statement = (
        update(file)
        .where(tuple_(file.id, file.vector_store_id, file.attempt).in_(attempts), file.status == _IN_PROGRESS)
        .values(lease_expires_at=func.now() + timedelta(seconds=lease_seconds))
        .returning(file.id, file.vector_store_id)
        .execution_options(synchronize_session=False)
    )
    return [Place(*row) for row in await session.execute(statement)]


async def hand_back(session: AsyncSession, claim: Claim) -> None:
    """Gives the file up for another worker to go on with, at once; it was no try. Raises FileLost."""
    await note(session, claim, lease_expires_at=None, tries=VectorStoreFile.tries - 1)
    ingestion_after_commit(session)


async def try_later(session: AsyncSession, claim: Claim, pause_seconds: float, *, was_try: bool = True) -> None:
    """Gives the file up until `pause_seconds` from now; then the sweep nudges. Raises FileLost.

    Without `was_try` this time does not count among the tries that a file has.
    """
    ready_at = func.now() + timedelta(seconds=pause_seconds)
    tries = VectorStoreFile.tries - int(not was_try)
    await note(session, claim, lease_expires_at=None, ready_at=ready_at, tries=tries)


async def has_waiting(session: AsyncSession) -> bool:
    """Returns whether there is a file that a worker could claim."""
    return bool(await session.scalar(select(exists().where(_claimable(VectorStoreFile)))))
