"""Projects and their API keys."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, IdText, now


class Project(Base):
    """The owner of every other row. A key belongs to one project and sees nothing of the others."""

    __tablename__ = "projects"

    id: Mapped[str] = mapped_column(IdText, primary_key=True)
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)


class ApiKey(Base):
    """A bearer key, known by its SHA-256 alone; `hint` is what can be shown of it."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(IdText, primary_key=True)
    project_id: Mapped[str] = mapped_column(IdText, ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    sha256: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    hint: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    revoked_at: Mapped[datetime | None]
