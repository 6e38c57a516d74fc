"""Threads."""

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import ApiObject, Base, HasMetadata, Json


class Thread(ApiObject, HasMetadata, Base):
    """A conversation. Its row is locked (`FOR UPDATE`) by whatever adds a message or a run to it."""

    __tablename__ = "threads"
    __table_args__ = (Index(None, "project_id", "seq"),)

    tool_resources: Mapped[Json] = mapped_column(default=dict)
