"""Projects and their keys, assistants, threads, messages, runs and their steps."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ACTIVE = sa.text("status IN ('queued', 'in_progress', 'requires_action', 'cancelling')")


def upgrade() -> None:
    op.create_table(
        "projects",
        _id("id", primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        _time("created_at", nullable=False),
    )
    op.create_table(
        "api_keys",
        _id("id", primary_key=True),
        _belongs_to("projects", "project_id"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("hint", sa.Text, nullable=False),
        _time("created_at", nullable=False),
        _time("revoked_at"),
    )
    op.create_index("api_keys_project_id_idx", "api_keys", ["project_id"])
    _create_assistants()
    _create_threads()
    _create_messages()
    _create_runs()
    _create_run_steps()


def downgrade() -> None:
    for table in ("run_steps", "runs", "messages", "threads", "assistants", "api_keys", "projects"):
        op.drop_table(table)


def _create_assistants() -> None:
    op.create_table(
        "assistants",
        *_api_object(),
        _json("metadata", nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("description", sa.Text),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("instructions", sa.Text),
        _json("tools", nullable=False),
        _json("tool_resources", nullable=False),
        sa.Column("temperature", sa.Double),
        sa.Column("top_p", sa.Double),
        sa.Column("reasoning_effort", sa.Text),
        _json("response_format"),
    )
    op.create_index("assistants_project_id_seq_idx", "assistants", ["project_id", "seq"])


def _create_threads() -> None:
    op.create_table(
        "threads",
        *_api_object(),
        _json("metadata", nullable=False),
        _json("tool_resources", nullable=False),
    )
    op.create_index("threads_project_id_seq_idx", "threads", ["project_id", "seq"])


def _create_messages() -> None:
    op.create_table(
        "messages",
        *_api_object(),
        _json("metadata", nullable=False),
        _belongs_to("threads", "thread_id"),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        _json("incomplete_details"),
        _time("completed_at"),
        _time("incomplete_at"),
        _json("content", nullable=False),
        _json("attachments", nullable=False),
        _id("assistant_id"),
        _id("run_id"),
    )
    op.create_index("messages_thread_id_seq_idx", "messages", ["thread_id", "seq"])
    op.create_index("messages_run_id_seq_idx", "messages", ["run_id", "seq"])


def _create_runs() -> None:
    op.create_table(
        "runs",
        *_api_object(),
        _json("metadata", nullable=False),
        _belongs_to("threads", "thread_id"),
        _id("assistant_id", nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        _time("lease_expires_at"),
        _time("queued_at", nullable=False),
        _time("started_at"),
        _time("expires_at"),
        _time("cancelled_at"),
        _time("failed_at"),
        _time("completed_at"),
        _json("required_action"),
        _json("last_error"),
        _json("incomplete_details"),
        _json("usage"),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("instructions", sa.Text),
        _json("tools", nullable=False),
        _json("tool_resources", nullable=False),
        sa.Column("temperature", sa.Double),
        sa.Column("top_p", sa.Double),
        sa.Column("reasoning_effort", sa.Text),
        sa.Column("max_prompt_tokens", sa.Integer),
        sa.Column("max_completion_tokens", sa.Integer),
        _json("truncation_strategy", nullable=False),
        _json("tool_choice"),
        sa.Column("parallel_tool_calls", sa.Boolean, nullable=False),
        _json("response_format"),
    )
    op.create_index("runs_thread_id_seq_idx", "runs", ["thread_id", "seq"])
    op.create_index("runs_one_active_per_thread_idx", "runs", ["thread_id"], unique=True, postgresql_where=_ACTIVE)
    op.create_index("runs_waiting_idx", "runs", ["project_id", "queued_at"], postgresql_where=_ACTIVE)
    op.create_index("runs_expiring_idx", "runs", ["expires_at"], postgresql_where=_ACTIVE)


def _create_run_steps() -> None:
    op.create_table(
        "run_steps",
        *_api_object(),
        _id("thread_id", nullable=False),
        _belongs_to("runs", "run_id"),
        _id("assistant_id", nullable=False),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        _json("step_details", nullable=False),
        _json("last_error"),
        _time("expires_at"),
        _time("expired_at"),
        _time("cancelled_at"),
        _time("failed_at"),
        _time("completed_at"),
        _json("usage"),
    )
    op.create_index("run_steps_run_id_seq_idx", "run_steps", ["run_id", "seq"])


def _api_object() -> list[sa.Column[object]]:
    """The columns of every object of the API."""
    return [
        _id("id", primary_key=True),
        _belongs_to("projects", "project_id"),
        sa.Column("seq", sa.BigInteger, sa.Identity(always=True), nullable=False),
        _time("created_at", nullable=False),
    ]


def _id(name: str, *, primary_key: bool = False, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.Text(collation="C"), primary_key=primary_key, nullable=nullable and not primary_key)


def _belongs_to(table: str, name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Text(collation="C"), sa.ForeignKey(f"{table}.id", ondelete="CASCADE"), nullable=False)


def _time(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _json(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, JSONB(none_as_null=True), nullable=nullable)
