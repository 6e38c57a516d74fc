"""Messages."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import ApiObject, Base, HasMetadata, IdText, Json


class Message(ApiObject, HasMetadata, Base):
    """A message of a thread. `content` holds the parts as the API answers them (text as `{value, annotations}`).

    `assistant_id` and `run_id` name what wrote it and may outlive it: no foreign keys.
    """

    __tablename__ = "messages"
    __table_args__ = (Index(None, "thread_id", "seq"), Index(None, "run_id", "seq"))

    thread_id: Mapped[str] = mapped_column(IdText, ForeignKey("threads.id", ondelete="CASCADE"))
    role: Mapped[str]
    status: Mapped[str]
    incomplete_details: Mapped[Json | None]
    completed_at: Mapped[datetime | None]
    incomplete_at: Mapped[datetime | None]
    content: Mapped[list[Json]] = mapped_column(default=list)
    attachments: Mapped[list[Json]] = mapped_column(default=list)
    assistant_id: Mapped[str | None] = mapped_column(IdText)
    run_id: Mapped[str | None] = mapped_column(IdText)
