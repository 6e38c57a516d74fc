"""Assistants."""

from sqlalchemy import Index
from sqlalchemy.orm import Mapped

from app.db.base import ApiObject, Base, HasMetadata
from app.models.model_options import HasModelOptions


class Assistant(ApiObject, HasMetadata, HasModelOptions, Base):
    """An assistant. Runs copy what they need of it, so no row points here (contract, section 6, Snapshot)."""

    __tablename__ = "assistants"
    __table_args__ = (Index(None, "project_id", "seq"),)

    name: Mapped[str | None]
    description: Mapped[str | None]
