"""Files, uploads, vector stores, and what retrieval searches."""

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR

from migrations.columns import api_object, belongs_to, id_, json, time

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS vector")
    _create_files()
    _create_uploads()
    _create_documents()
    _create_vector_stores()
    _create_file_batches()
    _create_chunks()
    op.create_index(
        "threads_tool_resources_idx",
        "threads",
        ["tool_resources"],
        postgresql_using="gin",
        postgresql_ops={"tool_resources": "jsonb_path_ops"},
        postgresql_where=sa.text("tool_resources <> '{}'::jsonb"),
    )
    op.add_column("runs", sa.Column("include", ARRAY(sa.Text)))


def downgrade() -> None:
    op.drop_column("runs", "include")
    op.drop_index("threads_tool_resources_idx", "threads")
    for table in (
        "chunks",
        "vector_store_file_batch_members",
        "vector_store_file_batches",
        "vector_store_files",
        "vector_stores",
        "documents",
        "embedding_models",
        "upload_parts",
        "uploads",
        "files",
    ):
        op.drop_table(table)


def _create_files() -> None:
    op.create_table(
        "files",
        *api_object(),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("status_details", sa.Text),
        time("expires_at"),
    )
    op.create_index("files_project_id_seq_idx", "files", ["project_id", "seq"])
    op.create_index("files_expiring_idx", "files", ["expires_at"], postgresql_where=sa.text("expires_at IS NOT NULL"))


def _create_uploads() -> None:
    op.create_table(
        "uploads",
        *api_object(),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("mime_type", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        time("expires_at", nullable=False),
        sa.Column("file_expires_after", sa.Integer),
        sa.Column("file_id", sa.Text(collation="C"), sa.ForeignKey("files.id", ondelete="SET NULL")),
    )
    op.create_index("uploads_expiring_idx", "uploads", ["expires_at"], postgresql_where=sa.text("status = 'pending'"))
    op.create_index("uploads_file_id_idx", "uploads", ["file_id"])
    op.create_table(
        "upload_parts",
        *api_object(),
        belongs_to("uploads", "upload_id"),
        sa.Column("bytes", sa.BigInteger, nullable=False),
    )
    op.create_index("upload_parts_upload_id_idx", "upload_parts", ["upload_id"])


def _create_documents() -> None:
    op.create_table(
        "embedding_models",
        sa.Column("id", sa.SmallInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("dimensions", sa.Integer, nullable=False),
        sa.UniqueConstraint("name", "dimensions"),
    )
    op.create_table(
        "documents",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        belongs_to("projects", "project_id"),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("page_starts", ARRAY(sa.Integer), nullable=False),
        time("created_at", nullable=False),
        sa.UniqueConstraint("project_id", "sha256", "kind"),
    )


def _create_vector_stores() -> None:
    op.create_table(
        "vector_stores",
        *api_object(),
        json("metadata", nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("description", sa.Text),
        json("expires_after"),
        time("expires_at"),
        time("last_active_at", nullable=False),
    )
    op.create_index("vector_stores_project_id_seq_idx", "vector_stores", ["project_id", "seq"])
    op.create_index(
        "vector_stores_expiring_idx",
        "vector_stores",
        ["expires_at"],
        postgresql_where=sa.text("expires_at IS NOT NULL"),
    )
    op.create_table(
        "vector_store_files",
        sa.Column("id", sa.Text(collation="C"), sa.ForeignKey("files.id", ondelete="CASCADE"), primary_key=True),
        sa.Column(
            "vector_store_id",
            sa.Text(collation="C"),
            sa.ForeignKey("vector_stores.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        *api_object()[1:],
        sa.Column("status", sa.Text, nullable=False),
        json("last_error"),
        json("chunking_strategy", nullable=False),
        json("attributes", nullable=False),
        sa.Column("usage_bytes", sa.BigInteger, nullable=False),
        sa.Column("document_id", sa.BigInteger, sa.ForeignKey("documents.id")),
        sa.Column("embedding_model_id", sa.SmallInteger, sa.ForeignKey("embedding_models.id")),
        sa.Column("attempt", sa.Integer, nullable=False),
        time("lease_expires_at"),
        sa.Column("tries", sa.SmallInteger, nullable=False, server_default=sa.text("0")),
        time("ready_at", nullable=False),
    )
    op.create_index("vector_store_files_vector_store_id_seq_idx", "vector_store_files", ["vector_store_id", "seq"])
    op.create_index("vector_store_files_document_id_idx", "vector_store_files", ["document_id"])
    op.create_index(
        "vector_store_files_waiting_idx",
        "vector_store_files",
        ["project_id", "ready_at"],
        postgresql_where=sa.text("status = 'in_progress'"),
    )


def _create_file_batches() -> None:
    op.create_table(
        "vector_store_file_batches",
        *api_object(),
        belongs_to("vector_stores", "vector_store_id"),
        sa.Column("status", sa.Text, nullable=False),
    )
    op.create_index("vector_store_file_batches_vector_store_id_idx", "vector_store_file_batches", ["vector_store_id"])
    op.create_table(
        "vector_store_file_batch_members",
        sa.Column(
            "batch_id",
            sa.Text(collation="C"),
            sa.ForeignKey("vector_store_file_batches.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        id_("file_id", primary_key=True),
        id_("vector_store_id", nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id", "vector_store_id"],
            ["vector_store_files.id", "vector_store_files.vector_store_id"],
            ondelete="CASCADE",
        ),
    )
    op.create_index(
        "vector_store_file_batch_members_vector_store_id_file_id_idx",
        "vector_store_file_batch_members",
        ["vector_store_id", "file_id"],
    )


def _create_chunks() -> None:
    op.create_table(
        "chunks",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        id_("vector_store_id", nullable=False),
        id_("file_id", nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("page", sa.Integer),
        sa.Column("embedding_model_id", sa.SmallInteger, sa.ForeignKey("embedding_models.id"), nullable=False),
        sa.Column("embedding", HALFVEC(), nullable=False),
        sa.Column("words", TSVECTOR, nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id", "vector_store_id"],
            ["vector_store_files.id", "vector_store_files.vector_store_id"],
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("vector_store_id", "file_id", "position"),
    )
    op.create_index("chunks_words_idx", "chunks", ["words"], postgresql_using="gin")
