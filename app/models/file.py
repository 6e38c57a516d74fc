"""Files."""

from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import ApiObject, Base

#: The status of a file that was imported without its contents; `status_details` says so to the client.
WITHOUT_CONTENTS: Final = "error"


class File(ApiObject, Base):
    """A file whose bytes are in the storage, under the key that its id makes (app.storage).

    The row is written when all bytes are there, and goes before they do: no row is ever without its bytes.
    """

    __tablename__ = "files"
    __table_args__ = (
        Index(None, "project_id", "seq"),
        Index("files_expiring_idx", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
    )

    filename: Mapped[str]
    purpose: Mapped[str]
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    bytes: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(default="processed")
    status_details: Mapped[str | None]
    expires_at: Mapped[datetime | None]
