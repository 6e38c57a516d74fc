"""Indexes by which a claim costs the same however much waits: of runs, and of files for their ingestion."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ACTIVE = sa.text("status IN ('queued', 'in_progress', 'requires_action', 'cancelling')")
_QUEUED = sa.text("status = 'queued'")
_IN_PROGRESS = sa.text("status = 'in_progress'")


def upgrade() -> None:
    op.drop_index("runs_waiting_idx", "runs")
    op.create_index("runs_queued_idx", "runs", ["project_id", "queued_at", "seq"], postgresql_where=_QUEUED)
    op.create_index("runs_queued_longest_idx", "runs", ["queued_at", "seq"], postgresql_where=_QUEUED)
    at_work = sa.text("status IN ('in_progress', 'cancelling')")
    op.create_index("runs_at_work_idx", "runs", ["project_id"], postgresql_where=at_work)
    files = "vector_store_files"
    op.drop_index("vector_store_files_waiting_idx", files)
    waiting = ["project_id", "ready_at", "seq"]
    op.create_index("vector_store_files_waiting_idx", files, waiting, postgresql_where=_IN_PROGRESS)
    op.create_index("vector_store_files_waiting_longest_idx", files, ["ready_at", "seq"], postgresql_where=_IN_PROGRESS)
    held = sa.text("status = 'in_progress' AND lease_expires_at IS NOT NULL")
    op.create_index("vector_store_files_held_idx", files, ["project_id"], postgresql_where=held)


def downgrade() -> None:
    files = "vector_store_files"
    for name in ("held", "waiting_longest", "waiting"):
        op.drop_index(f"vector_store_files_{name}_idx", files)
    op.create_index("vector_store_files_waiting_idx", files, ["project_id", "ready_at"], postgresql_where=_IN_PROGRESS)
    for name in ("at_work", "queued_longest", "queued"):
        op.drop_index(f"runs_{name}_idx", "runs")
    op.create_index("runs_waiting_idx", "runs", ["project_id", "queued_at"], postgresql_where=_ACTIVE)
