"""Keys with scopes, an expiry and their last use; projects that are disabled or deleted; the audit log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from migrations.columns import id_, json, time

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

#: Also what is done by TRUNCATE, and by the owner of the table.
_REFUSE = """
CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$
"""


def upgrade() -> None:
    for name in ("disabled_at", "deleted_at"):
        op.add_column("projects", time(name))
    gone = sa.text("deleted_at IS NOT NULL")
    op.create_index("projects_deleted_idx", "projects", ["deleted_at"], postgresql_where=gone)
    # A key from before opens all of its project, as it always did, and nothing else.
    every = sa.text("'{read,write}'")
    op.add_column("api_keys", sa.Column("scopes", ARRAY(sa.Text), nullable=False, server_default=every))
    for name in ("expires_at", "last_used_at"):
        op.add_column("api_keys", time(name))
    op.alter_column("api_keys", "project_id", nullable=True)
    op.create_check_constraint(op.f("api_keys_owner_check"), "api_keys", "(project_id IS NULL) = (scopes = '{admin}')")
    op.create_table(
        "audit_log",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False, unique=True),
        time("effective_at", nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        id_("project_id"),
        sa.Column("project_name", sa.Text),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("address", sa.Text),
        json("details", nullable=False),
        sa.Column("previous", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False, unique=True),
    )
    op.execute(_REFUSE)
    op.execute(
        "CREATE TRIGGER audit_log_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only()"
    )


def downgrade() -> None:
    op.drop_table("audit_log")
    op.execute("DROP FUNCTION audit_log_is_append_only()")
    op.drop_constraint(op.f("api_keys_owner_check"), "api_keys")
    # They have no place in tables that know no scopes.
    op.execute("DELETE FROM api_keys WHERE project_id IS NULL OR scopes <> '{read,write}'")
    op.alter_column("api_keys", "project_id", nullable=False)
    for name in ("expires_at", "last_used_at", "scopes"):
        op.drop_column("api_keys", name)
    for name in ("deleted_at", "disabled_at"):
        op.drop_column("projects", name)
