"""The places of imported objects that have been deleted."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, IdText, now


class ImportedPlace(Base):
    """Where in its list a deleted object was whose id does not tell: a page may still begin behind it.

    Triggers write the rows (migration 0005); they are dropped after a day.
    """

    __tablename__ = "imported_places"
    __table_args__ = (Index(None, "deleted_at"),)

    id: Mapped[str] = mapped_column(IdText, primary_key=True)
    project_id: Mapped[str] = mapped_column(IdText, ForeignKey("projects.id", ondelete="CASCADE"))
    seq: Mapped[int] = mapped_column(BigInteger)
    deleted_at: Mapped[datetime] = mapped_column(default=now)
