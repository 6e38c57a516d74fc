"""What an assistant or a run tells its model: the columns of both tables."""

from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Json


class HasModelOptions:
    """The options are null where the client left them alone: they are shown with OpenAI's defaults, but not sent to the
    model server, whose own defaults then hold."""

    model: Mapped[str]
    instructions: Mapped[str | None]
    tools: Mapped[list[Json]] = mapped_column(default=list)
    tool_resources: Mapped[Json] = mapped_column(default=dict)
    temperature: Mapped[float | None]
    top_p: Mapped[float | None]
    reasoning_effort: Mapped[str | None]
    response_format: Mapped[str | dict[str, Any] | None]
