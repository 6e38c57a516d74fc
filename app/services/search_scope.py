"""The chunks that a search may find."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_

from app.db.base import Json
from app.models import Chunk, VectorStoreFile
from app.pagination import scoped
from app.services.attribute_filters import condition


@dataclass(frozen=True, slots=True)
class Scope:
    """The project's chunks in some vector stores, of files that are whole and that `filters` holds for."""

    project_id: str
    store_ids: Sequence[str]
    filters: Json | None = None

    def files(self) -> Select[VectorStoreFile]:
        """Selects the files whose chunks are searched."""
        statement = scoped(VectorStoreFile, self.project_id).where(
            VectorStoreFile.vector_store_id.in_(self.store_ids), VectorStoreFile.status == "completed"
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
            .where(Chunk.vector_store_id.in_(self.store_ids))
            .with_only_columns(*columns)
        )
