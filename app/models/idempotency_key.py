"""The `Idempotency-Key`s of requests, and how they were answered."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, IdText, now


class IdempotencyKey(Base):
    """A request under a key of the client's, and its answer: `body`, or the stream of `run_id` behind `after`.

    Only the transaction that inserts the row sees it without an answer.
    """

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index(None, "created_at"),)

    project_id: Mapped[str] = mapped_column(IdText, ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(IdText, primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(default=now)
    status: Mapped[int | None] = mapped_column(SmallInteger)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    run_id: Mapped[str | None] = mapped_column(IdText)
    after: Mapped[str | None] = mapped_column(IdText)
