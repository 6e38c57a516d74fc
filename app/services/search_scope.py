"""The chunks that a search may find.

To build a statement takes SQLAlchemy about as long as Postgres takes to answer it in a small store. So a search has its
statements built once for each shape of scope, with named parameters, and asks them with the values at hand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ARRAY, ColumnElement, Select, Text, and_, any_, bindparam
from sqlalchemy.orm import InstrumentedAttribute

from app.db.base import Json
from app.domain.statuses import FileStatus
from app.models import Chunk, VectorStoreFile
from app.pagination import scoped
from app.services import attribute_filters

#: Whether a scope has filters: all that its statements differ by, but for the values of parameters.
Shape = bool
#: A statement and its parameters: `session.execute(*asked)`.
Asked = tuple[Select[Any], Json]

#: For functions that build a statement. No argument of theirs may be a client's to choose freely.
built_once: Final = lru_cache(maxsize=256)


def one_of(column: InstrumentedAttribute[Any], parameter: str) -> ColumnElement[bool]:
    """As `column IN :parameter`, but the same statement for any number of values: the database prepares it once."""
    return column == any_(bindparam(parameter, type_=ARRAY(column.type)))


@dataclass(frozen=True, slots=True)
class Size:
    """How many chunks are in scope, or more, and about how many in the whole database.

    `few` are best looked at one after the other, for `many` the index of vectors pays.
    """

    in_scope: int
    in_all: int
    few: bool
    many: bool


@dataclass(frozen=True, slots=True)
class Scope:
    """The project's chunks in some vector stores, of files that are whole and that `filters` holds for."""

    project_id: str
    store_ids: Sequence[str]
    filters: Json | None = None

    @property
    def shape(self) -> Shape:
        """What its statements are built for."""
        return self.filters is not None

    @property
    def values(self) -> Json:
        """The values of the parameters that its statements have."""
        values: Json = {"project_id": self.project_id, "store_ids": list(self.store_ids)}
        return values if self.filters is None else values | attribute_filters.values(self.filters)


def in_stores(column: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """Whether `column` is the id of one of the stores."""
    return one_of(column, "store_ids")


def select_files(shape: Shape) -> Select[VectorStoreFile]:
    """Selects the files whose chunks are searched."""
    statement = scoped(VectorStoreFile, bindparam("project_id", type_=Text)).where(
        in_stores(VectorStoreFile.vector_store_id), VectorStoreFile.status == FileStatus.COMPLETED
    )
    if shape:
        statement = statement.where(attribute_filters.holds(VectorStoreFile.attributes))
    return statement


def select_chunks(shape: Shape, *columns: Any) -> Select[Any]:
    """Selects `columns` of the chunks, and of the files as they are in their stores."""
    of_file = and_(Chunk.file_id == VectorStoreFile.id, Chunk.vector_store_id == VectorStoreFile.vector_store_id)
    return (
        select_files(shape)
        .select_from(VectorStoreFile)
        .join(Chunk, of_file)
        .where(in_stores(Chunk.vector_store_id))
        .with_only_columns(*columns)
    )
