"""Idempotency keys."""

import sqlalchemy as sa
from alembic import op

from migrations.columns import belongs_to, id_, time

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "idempotency_keys",
        belongs_to("projects", "project_id"),
        id_("key", nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        time("created_at", nullable=False),
        sa.Column("status", sa.SmallInteger),
        sa.Column("body", sa.LargeBinary),
        id_("run_id"),
        id_("after"),
        sa.PrimaryKeyConstraint("project_id", "key"),
    )
    op.create_index("idempotency_keys_created_at_idx", "idempotency_keys", ["created_at"])


def downgrade() -> None:
    op.drop_table("idempotency_keys")
