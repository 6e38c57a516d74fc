"""The audit log: what changed keys, projects and settings."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, IdText


class AuditEntry(Base):
    """One change. `hash` is over the others of its values, and `previous`, the hash of the entry before (32 zero bytes
    for the first): see app.services.audit_chain. `seq` counts from 1 without a gap.

    A trigger refuses to change or delete entries. So nothing here refers to other tables: projects and keys go, and
    what was done to them stays.
    """

    __tablename__ = "audit_log"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(IdText, unique=True)
    effective_at: Mapped[datetime]
    type: Mapped[str]
    project_id: Mapped[str | None] = mapped_column(IdText)
    project_name: Mapped[str | None]
    actor: Mapped[str]
    address: Mapped[str | None]
    details: Mapped[dict[str, Any]]
    previous: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
