"""Runs."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import ApiObject, Base, HasMetadata, IdText, Json
from app.domain.statuses import ACTIVE
from app.models.model_options import HasModelOptions

_ACTIVE_SQL = text("status IN ({})".format(", ".join(f"'{status}'" for status in ACTIVE)))


class Run(ApiObject, HasMetadata, HasModelOptions, Base):
    """One execution of an assistant on a thread, with everything copied from the assistant that it needs.

    `attempt` is the fencing token: it grows whenever the run changes hands (a worker's claim, tool outputs, a cancel
    or an expiry from outside), and whoever writes must name the attempt it holds. `lease_expires_at` says until when
    the worker of this attempt is believed alive.

    `blame` tells how far the run is under suspicion of killing its workers, since it last made progress; `company` how
    many runs its worker held when it claimed this one; `progress` how far it was when a worker was last lost
    (app.services.run_claims).
    """

    __tablename__ = "runs"
    __table_args__ = (
        Index(None, "project_id", "seq"),
        Index(None, "thread_id", "seq"),
        Index("runs_one_active_per_thread_idx", "thread_id", unique=True, postgresql_where=_ACTIVE_SQL),
        Index("runs_queued_idx", "project_id", "queued_at", "seq", postgresql_where=text("status = 'queued'")),
        Index("runs_queued_longest_idx", "queued_at", "seq", postgresql_where=text("status = 'queued'")),
        Index("runs_at_work_idx", "project_id", postgresql_where=text("status IN ('in_progress', 'cancelling')")),
        Index("runs_expiring_idx", "expires_at", postgresql_where=_ACTIVE_SQL),
    )

    thread_id: Mapped[str] = mapped_column(IdText, ForeignKey("threads.id", ondelete="CASCADE"))
    assistant_id: Mapped[str] = mapped_column(IdText)

    status: Mapped[str]
    attempt: Mapped[int] = mapped_column(default=0)
    lease_expires_at: Mapped[datetime | None]
    queued_at: Mapped[datetime]
    blame: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    company: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    progress: Mapped[int] = mapped_column(default=0, server_default=text("0"))

    started_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    required_action: Mapped[Json | None]
    last_error: Mapped[Json | None]
    incomplete_details: Mapped[Json | None]
    usage: Mapped[Json | None]

    max_prompt_tokens: Mapped[int | None]
    max_completion_tokens: Mapped[int | None]
    truncation_strategy: Mapped[Json]
    tool_choice: Mapped[str | dict[str, Any] | None]
    parallel_tool_calls: Mapped[bool] = mapped_column(default=True)
    #: What its events tell besides what they always do.
    include: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
