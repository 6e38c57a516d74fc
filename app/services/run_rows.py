"""Inserts runs, and what workers make for them, each in one statement with the proof that it may be inserted."""

from functools import cache
from typing import Any, cast

from sqlalchemy import Executable, Table, bindparam, insert, select
from sqlalchemy import inspect as mapping_of
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapper, make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value

from app.db.base import Base
from app.domain.statuses import ACTIVE
from app.models import Run
from app.services.run_status import HELD, RunLost, known

#: The database gives it.
_SEQ = "seq"


def _columns(model: type[Base]) -> dict[str, Any]:
    """The columns that a row of `model` is inserted with, by the names of their attributes."""
    mapper: Mapper[Base] = mapping_of(model)
    return {attribute.key: attribute.columns[0] for attribute in mapper.column_attrs if attribute.key != _SEQ}


@cache
def _insertion_of_run() -> Executable:
    """Inserts a run unless its thread has an active one."""
    columns = _columns(Run)
    values = [bindparam(f"new_{name}", type_=column.type) for name, column in columns.items()]
    active = select(Run.id).where(Run.thread_id == bindparam("new_thread_id"), Run.status.in_(ACTIVE))
    names = [column.name for column in columns.values()]
    return (
        insert(cast("Table", Run.__table__))
        .from_select(names, select(*values).where(~active.exists()))
        .returning(Run.seq)
    )


async def insert_alone(session: AsyncSession, run: Run) -> bool:
    """Inserts a new run, which is then as if loaded; False if its thread has an active one.

    The caller holds the thread: it has just made it, or locked it.
    """
    columns = _columns(Run)
    parameters = {f"new_{name}": getattr(run, name) for name in columns}
    seq = await session.scalar(_insertion_of_run(), parameters)
    if seq is None:
        return False
    for name in columns:
        set_committed_value(run, name, getattr(run, name))
    set_committed_value(run, "seq", seq)
    make_transient_to_detached(run)
    session.add(run)
    return True


@cache
def _insertion(models: tuple[type[Base], ...]) -> Executable:
    """Inserts a row into the table of each of `models` if the run is as known; tells whether it is."""
    held = HELD.cte("held")
    insertions = []
    for position, model in enumerate(models):
        columns = _columns(model)
        values = [bindparam(f"{name}_{position}", type_=column.type) for name, column in columns.items()]
        source = select(*values).select_from(held)
        names = [column.name for column in columns.values()]
        insertions.append(insert(cast("Table", model.__table__)).from_select(names, source).cte(f"row_{position}"))
    return select(held.c.id).add_cte(*insertions)


async def insert_held(session: AsyncSession, run: Run, *rows: Base) -> None:
    """Inserts `rows` (new objects with every value set but those that are null), which are then as if loaded.

    Raises RunLost if `run` is not as known.
    """
    parameters = known(run)
    for position, row in enumerate(rows):
        for name in _columns(type(row)):
            value = getattr(row, name)
            parameters[f"{name}_{position}"] = value
            set_committed_value(row, name, value)
    if await session.scalar(_insertion(tuple(type(row) for row in rows)), parameters) is None:
        raise RunLost(run.id)
    for row in rows:
        make_transient_to_detached(row)
