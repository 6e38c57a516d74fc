"""What retrieval searches: documents (parsed files), their chunks, and the models that made the chunks' vectors."""

from datetime import datetime
from typing import Any

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    BigInteger,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.db.base import Base, IdText, now


class EmbeddingModel(Base):
    """A model that vectors in this database come from. Each has an HNSW index of its own over `chunks`.

    Vectors are compared with those of the same model alone; a vector store may hold vectors of several.
    """

    __tablename__ = "embedding_models"
    __table_args__ = (UniqueConstraint("name", "dimensions"),)

    id: Mapped[int] = mapped_column(SmallInteger, Identity(always=True), primary_key=True)
    name: Mapped[str]
    dimensions: Mapped[int]


class Document(Base):
    """The text of a file, parsed once for all files of a project with the same bytes and kind.

    `page_starts` has the offset (in characters of `text`) at which each page begins, where the format has pages.
    """

    __tablename__ = "documents"
    __table_args__ = (UniqueConstraint("project_id", "sha256", "kind"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    project_id: Mapped[str] = mapped_column(IdText, ForeignKey("projects.id", ondelete="CASCADE"))
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    kind: Mapped[str]
    text: Mapped[str]
    page_starts: Mapped[list[int]] = mapped_column(ARRAY(Integer), default=list)
    created_at: Mapped[datetime] = mapped_column(default=now)


class _ChunkColumns:
    """A piece of a file in a vector store, with its vector and its words.

    `position` counts the chunks of the file from 0; `page` counts from 1, where the format has pages. `words` is made
    by app.services.text_search, which also reads it.
    """

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    vector_store_id: Mapped[str] = mapped_column(IdText)
    file_id: Mapped[str] = mapped_column(IdText)
    position: Mapped[int]
    text: Mapped[str]
    page: Mapped[int | None]
    embedding_model_id: Mapped[int] = mapped_column(SmallInteger)
    embedding: Mapped[Any] = mapped_column(HALFVEC())
    words: Mapped[str] = mapped_column(TSVECTOR)
    project_id: Mapped[str] = mapped_column(IdText)


class StoredChunk(_ChunkColumns, Base):
    """The table of all projects' chunks, for migrations. The role of the application has no rights on it."""

    __tablename__ = "chunks"
    __table_args__ = (
        ForeignKeyConstraint(
            ["file_id", "vector_store_id"],
            ["vector_store_files.id", "vector_store_files.vector_store_id"],
            ondelete="CASCADE",
        ),
        ForeignKeyConstraint(["embedding_model_id"], ["embedding_models.id"]),
        UniqueConstraint("vector_store_id", "file_id", "position"),
        Index("chunks_words_idx", "words", postgresql_using="gin"),
    )


class View(DeclarativeBase):
    """What is a view in the database: not among the tables that migrations are compared with."""

    type_annotation_map = Base.type_annotation_map


class Chunk(_ChunkColumns, View):
    """The chunks of the project of the transaction (app.db.project), to be read and written.

    A view, not a table with a policy: beneath a policy Postgres does not use the index of words
    (docs/decisions/0019-row-level-security.md).
    """

    __tablename__ = "visible_chunks"
