"""Threads."""

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import ApiObject, Base, HasMetadata, Json


class Thread(ApiObject, HasMetadata, Base):
    """A conversation. Its row is locked (`FOR UPDATE`) by whatever adds a message or a run to it."""

    __tablename__ = "threads"
    __table_args__ = (
        Index(None, "project_id", "seq"),
        # For taking a deleted file out of all threads.
        Index(
            "threads_tool_resources_idx",
            "tool_resources",
            postgresql_using="gin",
            postgresql_ops={"tool_resources": "jsonb_path_ops"},
            postgresql_where=text("tool_resources <> '{}'::jsonb"),
        ),
    )

    tool_resources: Mapped[Json] = mapped_column(default=dict)
