"""Projects and their keys, assistants, threads, messages, runs and their steps."""

import sqlalchemy as sa
from alembic import op

from migrations.columns import api_object, belongs_to, id_, json, time

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ACTIVE = sa.text("status IN ('queued', 'in_progress', 'requires_action', 'cancelling')")


def upgrade() -> None:
    op.create_table(
        "projects",
        id_("id", primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        time("created_at", nullable=False),
    )
    op.create_table(
        "api_keys",
        id_("id", primary_key=True),
        belongs_to("projects", "project_id"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("hint", sa.Text, nullable=False),
        time("created_at", nullable=False),
        time("revoked_at"),
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
        *api_object(),
        json("metadata", nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("description", sa.Text),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("instructions", sa.Text),
        json("tools", nullable=False),
        json("tool_resources", nullable=False),
        sa.Column("temperature", sa.Double),
        sa.Column("top_p", sa.Double),
        sa.Column("reasoning_effort", sa.Text),
        json("response_format"),
    )
    op.create_index("assistants_project_id_seq_idx", "assistants", ["project_id", "seq"])


def _create_threads() -> None:
    op.create_table(
        "threads",
        *api_object(),
        json("metadata", nullable=False),
        json("tool_resources", nullable=False),
    )
    op.create_index("threads_project_id_seq_idx", "threads", ["project_id", "seq"])


def _create_messages() -> None:
    op.create_table(
        "messages",
        *api_object(),
        json("metadata", nullable=False),
        belongs_to("threads", "thread_id"),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        json("incomplete_details"),
        time("completed_at"),
        time("incomplete_at"),
        json("content", nullable=False),
        json("attachments", nullable=False),
        id_("assistant_id"),
        id_("run_id"),
    )
    op.create_index("messages_thread_id_seq_idx", "messages", ["thread_id", "seq"])
    op.create_index("messages_run_id_seq_idx", "messages", ["run_id", "seq"])


def _create_runs() -> None:
    op.create_table(
        "runs",
        *api_object(),
        json("metadata", nullable=False),
        belongs_to("threads", "thread_id"),
        id_("assistant_id", nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        time("lease_expires_at"),
        time("queued_at", nullable=False),
        time("started_at"),
        time("expires_at"),
        time("cancelled_at"),
        time("failed_at"),
        time("completed_at"),
        json("required_action"),
        json("last_error"),
        json("incomplete_details"),
        json("usage"),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("instructions", sa.Text),
        json("tools", nullable=False),
        json("tool_resources", nullable=False),
        sa.Column("temperature", sa.Double),
        sa.Column("top_p", sa.Double),
        sa.Column("reasoning_effort", sa.Text),
        sa.Column("max_prompt_tokens", sa.Integer),
        sa.Column("max_completion_tokens", sa.Integer),
        json("truncation_strategy", nullable=False),
        json("tool_choice"),
        sa.Column("parallel_tool_calls", sa.Boolean, nullable=False),
        json("response_format"),
    )
    op.create_index("runs_thread_id_seq_idx", "runs", ["thread_id", "seq"])
    op.create_index("runs_one_active_per_thread_idx", "runs", ["thread_id"], unique=True, postgresql_where=_ACTIVE)
    op.create_index("runs_waiting_idx", "runs", ["project_id", "queued_at"], postgresql_where=_ACTIVE)
    op.create_index("runs_expiring_idx", "runs", ["expires_at"], postgresql_where=_ACTIVE)


def _create_run_steps() -> None:
    op.create_table(
        "run_steps",
        *api_object(),
        id_("thread_id", nullable=False),
        belongs_to("runs", "run_id"),
        id_("assistant_id", nullable=False),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        json("step_details", nullable=False),
        json("last_error"),
        time("expires_at"),
        time("expired_at"),
        time("cancelled_at"),
        time("failed_at"),
        time("completed_at"),
        json("usage"),
    )
    op.create_index("run_steps_run_id_seq_idx", "run_steps", ["run_id", "seq"])
