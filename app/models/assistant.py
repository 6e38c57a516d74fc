"""Assistants."""

from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import ApiObject, Base, HasMetadata, Json


class Assistant(ApiObject, HasMetadata, Base):
    """An assistant. Runs copy what they need of it, so no row points here (contract, section 6, Snapshot).

    `temperature`, `top_p` and `response_format` are null where the client left them alone: they are shown with
    OpenAI's defaults, but not sent to the backend, whose own defaults then hold.
    """

    __tablename__ = "assistants"
    __table_args__ = (Index(None, "project_id", "seq"),)

    name: Mapped[str | None]
    description: Mapped[str | None]
    model: Mapped[str]
    instructions: Mapped[str | None]
    tools: Mapped[list[Json]] = mapped_column(default=list)
    tool_resources: Mapped[Json] = mapped_column(default=dict)
    temperature: Mapped[float | None]
    top_p: Mapped[float | None]
    reasoning_effort: Mapped[str | None]
    response_format: Mapped[str | dict[str, Any] | None]
