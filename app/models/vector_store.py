"""Vector stores, the files in them, and batches of such files."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, Index, Integer, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import ApiObject, Base, HasMetadata, IdText, Json


class VectorStore(ApiObject, HasMetadata, Base):
    """A vector store. Its counts, its status and `usage_bytes` are not kept: they are counted from its files."""

    __tablename__ = "vector_stores"
    __table_args__ = (
        Index(None, "project_id", "seq"),
        Index("vector_stores_expiring_idx", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
    )

    name: Mapped[str | None]
    description: Mapped[str | None]
    expires_after: Mapped[Json | None]
    expires_at: Mapped[datetime | None]
    last_active_at: Mapped[datetime]


class VectorStoreFile(ApiObject, Base):
    """A file in a vector store; `id` is the file's own, as in the API (contract, section 2).

    `attempt` and `lease_expires_at` are to its ingestion what they are to a run's execution: the fencing token of the
    worker that has it, and until when that worker is believed alive. `ready_at` is when it may be tried (again);
    `tries` counts how often it was, not those times that a worker gave it back in good order.
    """

    __tablename__ = "vector_store_files"
    __table_args__ = (
        Index(None, "vector_store_id", "seq"),
        Index(
            "vector_store_files_waiting_idx",
            "project_id",
            "ready_at",
            "seq",
            postgresql_where=text("status = 'in_progress'"),
        ),
        Index(
            "vector_store_files_waiting_longest_idx",
            "ready_at",
            "seq",
            postgresql_where=text("status = 'in_progress'"),
        ),
        Index(
            "vector_store_files_held_idx",
            "project_id",
            postgresql_where=text("status = 'in_progress' AND lease_expires_at IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(IdText, ForeignKey("files.id", ondelete="CASCADE"), primary_key=True)
    vector_store_id: Mapped[str] = mapped_column(
        IdText, ForeignKey("vector_stores.id", ondelete="CASCADE"), primary_key=True
    )
    status: Mapped[str]
    last_error: Mapped[Json | None]
    chunking_strategy: Mapped[Json]
    attributes: Mapped[Json] = mapped_column(default=dict)
    usage_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    document_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("documents.id"), index=True)
    embedding_model_id: Mapped[int | None] = mapped_column(SmallInteger, ForeignKey("embedding_models.id"))
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    lease_expires_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    ready_at: Mapped[datetime]


class FileBatch(ApiObject, Base):
    """Files that were added to a vector store together."""

    __tablename__ = "vector_store_file_batches"

    vector_store_id: Mapped[str] = mapped_column(IdText, ForeignKey("vector_stores.id", ondelete="CASCADE"), index=True)
    status: Mapped[str]


class FileBatchMember(Base):
    """A file of a batch. The same file may be in several batches of a store, which holds it once."""

    __tablename__ = "vector_store_file_batch_members"
    __table_args__ = (
        ForeignKeyConstraint(
            ["file_id", "vector_store_id"],
            ["vector_store_files.id", "vector_store_files.vector_store_id"],
            ondelete="CASCADE",
        ),
        Index(None, "vector_store_id", "file_id"),
    )

    batch_id: Mapped[str] = mapped_column(
        IdText, ForeignKey("vector_store_file_batches.id", ondelete="CASCADE"), primary_key=True
    )
    file_id: Mapped[str] = mapped_column(IdText, primary_key=True)
    vector_store_id: Mapped[str] = mapped_column(IdText)
    project_id: Mapped[str] = mapped_column(IdText)
