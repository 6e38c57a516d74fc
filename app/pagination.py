"""Pages of a list: keyset pagination by `seq`, and the one place where queries are bound to a project."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Generic, Literal, TypeVar

from sqlalchemy import BindParameter, ColumnElement, Select, and_, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app import ids
from app.db.base import ApiObject, now
from app.errors import InvalidRequest, NotFound
from app.models import ImportedPlace

Row = TypeVar("Row", bound=ApiObject)

#: How the ids of each table begin.
PREFIXES: Final[dict[str, str | tuple[str, ...]]] = {
    "assistants": ids.ASSISTANT,
    "threads": ids.THREAD,
    "messages": ids.MESSAGE,
    "runs": ids.RUN,
    "run_steps": ids.RUN_STEP,
    "files": (ids.FILE, ids.AZURE_FILE),
    "vector_stores": ids.VECTOR_STORE,
    "vector_store_files": (ids.FILE, ids.AZURE_FILE),
    "vector_store_file_batches": ids.FILE_BATCH,
}
#: How long a page can begin behind an imported object that is deleted.
_PLACES_KEPT: Final = timedelta(days=1)
_DROPPED_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class PageQuery:
    """What a client asks of a list: `after` and `before` are ids, themselves left out (contract, section 3)."""

    limit: int = 20
    order: Literal["asc", "desc"] = "desc"
    after: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """A piece of a list, in the list's order; `has_more` says whether the list goes on where the page was cut."""

    rows: Sequence[Row]
    has_more: bool


def scoped(model: type[Row], project_id: str | BindParameter[str]) -> Select[Row]:
    """Selects the rows of `model` that the project owns. Every query for a client begins here.

    A statement that is built once for all projects has a parameter in the place of the id.
    """
    return select(model).where(model.project_id == project_id)


async def paginate(session: AsyncSession, statement: Select[Row], model: type[Row], query: PageQuery) -> Page[Row]:
    """The page of `statement` (rows of `model`, unordered) that `query` asks for.

    With `before` alone, the page is the one that ends at it. Raises InvalidRequest or NotFound for a cursor that is
    not an id of this list; one whose object was deleted still marks its place
    (docs/decisions/0003-cursors-outlive-their-objects.md).
    """
    descending = query.order == "desc"
    if query.after:
        statement = statement.where(await _beyond(session, statement, model, "after", query.after, below=descending))
    if query.before:
        statement = statement.where(
            await _beyond(session, statement, model, "before", query.before, below=not descending)
        )
    backwards = bool(query.before) and not query.after
    falling = descending is not backwards
    ordered = statement.order_by(model.seq.desc() if falling else model.seq.asc()).limit(query.limit + 1)
    found = list(await session.scalars(ordered))
    rows = found[: query.limit]
    return Page(rows[::-1] if backwards else rows, has_more=len(found) > query.limit)


async def _beyond(
    session: AsyncSession, statement: Select[Any], model: type[Row], param: str, cursor: str, *, below: bool
) -> ColumnElement[bool]:
    """The condition that leaves the rows on one side of `cursor`."""
    table = model.__tablename__  # type: ignore[attr-defined]
    prefix = PREFIXES[table]
    if not cursor.startswith(prefix) or "\0" in cursor:
        expected = prefix if isinstance(prefix, str) else prefix[0]
        message = f"Invalid '{param}': '{cursor[:100]}'. Expected an ID that begins with '{expected}'."
        raise InvalidRequest(message, param=param, code="invalid_value")
    seq = await session.scalar(statement.with_only_columns(model.seq).where(model.id == cursor))
    if seq is None:
        seq = await _place_of_import(session, statement, model, cursor)
    if seq is not None:
        return model.seq < seq if below else model.seq > seq
    if ids.made_at(cursor) is None:
        raise NotFound.of(table, cursor)
    # The ids of imported objects tell nothing, but they all come before those of our making.
    return or_(model.seq < 0, model.id < cursor) if below else and_(model.seq > 0, model.id > cursor)


async def _place_of_import(session: AsyncSession, statement: Select[Any], model: type[Row], cursor: str) -> int | None:
    """The place of an imported object that was deleted lately, if `cursor` is one's and its list has others left."""
    projects = statement.with_only_columns(model.project_id).limit(1)
    return await session.scalar(
        select(ImportedPlace.seq).where(ImportedPlace.id == cursor, ImportedPlace.project_id.in_(projects))
    )


async def drop_old_places(session: AsyncSession) -> int:
    """Drops the places of objects that were deleted long ago, some at once; gives their number."""
    old = select(ImportedPlace.id).where(ImportedPlace.deleted_at < now() - _PLACES_KEPT).limit(_DROPPED_AT_ONCE)
    dropping = delete(ImportedPlace).where(ImportedPlace.id.in_(old)).returning(ImportedPlace.id)
    return len((await session.scalars(dropping.execution_options(synchronize_session=False))).all())
