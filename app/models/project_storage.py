"""What each project has in the storage."""

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, IdText


class ProjectStorage(Base):
    """The bytes of a project's files and parts of uploads, summed up; a project that never had any has no row.

    Triggers of the database keep it (migrations/versions/0008_stored_bytes.py); beside them only the recount writes it.
    """

    __tablename__ = "project_storage"

    project_id: Mapped[str] = mapped_column(IdText, ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    bytes: Mapped[int] = mapped_column(BigInteger)
