"""Run steps."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import ApiObject, Base, IdText, Json


class RunStep(ApiObject, Base):
    """One thing a run did: a message it wrote or the tools it called in one turn.

    `turn` counts the run's model calls from 0; a turn that wrote text and then called tools has two steps. `usage` is
    known when the turn ends and shown when the step does (contract, section 7).
    `begun_place` and `ended_place` are the places, packed (app.events), of the first event that tells of its beginning
    and of its end. A step that ended with its run has no `ended_place`; one that was imported has neither.
    """

    __tablename__ = "run_steps"
    __table_args__ = (Index(None, "run_id", "seq"),)

    thread_id: Mapped[str] = mapped_column(IdText)
    run_id: Mapped[str] = mapped_column(IdText, ForeignKey("runs.id", ondelete="CASCADE"))
    assistant_id: Mapped[str] = mapped_column(IdText)
    turn: Mapped[int]
    type: Mapped[str]
    status: Mapped[str]
    step_details: Mapped[Json]
    last_error: Mapped[Json | None]
    expires_at: Mapped[datetime | None]
    expired_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    usage: Mapped[Json | None]
    begun_place: Mapped[int | None] = mapped_column(BigInteger)
    ended_place: Mapped[int | None] = mapped_column(BigInteger)
