"""Which runs take their workers with them: how often a worker was lost at the same point of a run."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_COLUMNS = ("blame", "company", "progress")


def upgrade() -> None:
    for name in _COLUMNS:
        op.add_column("runs", sa.Column(name, sa.Integer, server_default="0", nullable=False))


def downgrade() -> None:
    for name in _COLUMNS:
        op.drop_column("runs", name)
