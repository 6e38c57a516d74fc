"""The runs of a project in their order, for its list of them."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("runs_project_id_seq_idx", "runs", ["project_id", "seq"])


def downgrade() -> None:
    op.drop_index("runs_project_id_seq_idx", "runs")
