"""Uploads: files that come in parts."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import ApiObject, Base, IdText


class Upload(ApiObject, Base):
    """A file being uploaded in parts. `bytes` is what was announced; `file_expires_after` counts seconds."""

    __tablename__ = "uploads"
    __table_args__ = (Index("uploads_expiring_idx", "expires_at", postgresql_where=text("status = 'pending'")),)

    filename: Mapped[str]
    purpose: Mapped[str]
    bytes: Mapped[int] = mapped_column(BigInteger)
    mime_type: Mapped[str]
    status: Mapped[str]
    expires_at: Mapped[datetime]
    file_expires_after: Mapped[int | None] = mapped_column(Integer)
    file_id: Mapped[str | None] = mapped_column(IdText, ForeignKey("files.id", ondelete="SET NULL"), index=True)


class UploadPart(ApiObject, Base):
    """A part of an upload, in the storage until the upload is completed, cancelled or expired."""

    __tablename__ = "upload_parts"

    upload_id: Mapped[str] = mapped_column(IdText, ForeignKey("uploads.id", ondelete="CASCADE"), index=True)
    bytes: Mapped[int] = mapped_column(BigInteger)
