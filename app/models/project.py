"""Projects and API keys."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, IdText, now


class Project(Base):
    """The owner of every other row. A key belongs to one project and sees nothing of the others.

    `disabled_at`: its keys are refused and its runs wait. `deleted_at`: it is gone for everybody, and what it had goes
    bit by bit (app.services.project_removal).
    """

    __tablename__ = "projects"
    __table_args__ = (Index("projects_deleted_idx", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),)

    id: Mapped[str] = mapped_column(IdText, primary_key=True)
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    disabled_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]


class ApiKey(Base):
    """A bearer key, known by its SHA-256 alone; `hint` is what can be shown of it.

    `scopes` are app.scopes's. A key of the operator has the scope `admin`, no other, and no project. `last_used_at` is
    true to the minute.
    """

    __tablename__ = "api_keys"
    __table_args__ = (CheckConstraint("(project_id IS NULL) = (scopes = '{admin}')", name="owner"),)

    id: Mapped[str] = mapped_column(IdText, primary_key=True)
    project_id: Mapped[str | None] = mapped_column(IdText, ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    sha256: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    hint: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{read,write}'"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
