"""Where the event log tells of the beginning and the end of a step: readers can then be told of it by the row."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_PLACES = ("begun_place", "ended_place")


def upgrade() -> None:
    for name in _PLACES:
        op.add_column("run_steps", sa.Column(name, sa.BigInteger))


def downgrade() -> None:
    for name in _PLACES:
        op.drop_column("run_steps", name)
