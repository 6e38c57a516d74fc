"""The chunks that a search may find."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Select, and_, any_, bindparam
from sqlalchemy.orm import InstrumentedAttribute

from app.db.base import Json
from app.models import Chunk, VectorStoreFile
from app.pagination import scoped
from app.services.attribute_filters import condition


def one_of(column: InstrumentedAttribute[Any], values: Sequence[Any]) -> ColumnElement[bool]:
    """As `column IN values`, but the same statement for any number of values: the database prepares it once."""
    return column == any_(bindparam(None, list(values), ARRAY(column.type)))


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

    def in_stores(self, column: InstrumentedAttribute[str]) -> ColumnElement[bool]:
        """Whether `column` is the id of one of the stores."""
        return one_of(column, self.store_ids)

    def files(self) -> Select[VectorStoreFile]:
        """Selects the files whose chunks are searched."""
        statement = scoped(VectorStoreFile, self.project_id).where(
            self.in_stores(VectorStoreFile.vector_store_id), VectorStoreFile.status == "completed"
        )
        if self.filters is not None:
            statement = statement.where(condition(self.filters, VectorStoreFile.attributes))
        return statement

    def select(self, *columns: Any) -> Select[Any]:
        """Selects `columns` of the chunks, and of the files as they are in their stores."""
        of_file = and_(Chunk.file_id == VectorStoreFile.id, Chunk.vector_store_id == VectorStoreFile.vector_store_id)
        return (
            self.files()
            .select_from(VectorStoreFile)
            .join(Chunk, of_file)
            .where(self.in_stores(Chunk.vector_store_id))
            .with_only_columns(*columns)
        )
