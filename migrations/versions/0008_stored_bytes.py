"""How many bytes each project has in the storage: a running sum, kept by the database itself in the transaction that
adds or removes a row of files or of parts of uploads. So nothing that ends in the middle leaves it wrong."""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

#: A file that was imported without its contents has none in the storage (app.services.files.WITHOUT_CONTENTS).
_COUNTED = {"files": "CASE WHEN status = 'error' THEN 0 ELSE bytes END", "upload_parts": "bytes"}
_TABLES = {
    "INSERT": "REFERENCING NEW TABLE AS added",
    "UPDATE": "REFERENCING OLD TABLE AS removed NEW TABLE AS added",
    "DELETE": "REFERENCING OLD TABLE AS removed",
}


def upgrade() -> None:
    op.create_table(
        "project_storage",
        sa.Column("project_id", sa.Text(collation="C"), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", name="project_storage_pkey"),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="project_storage_project_id_fkey", ondelete="CASCADE"
        ),
    )
    # What is committed between the sum and the triggers would be missed.
    op.execute("LOCK TABLE files, upload_parts IN SHARE ROW EXCLUSIVE MODE")
    for statement in _triggers():
        op.execute(statement)
    there = " UNION ALL ".join(f"SELECT project_id, {counted} AS bytes FROM {of}" for of, counted in _COUNTED.items())
    op.execute(
        "INSERT INTO project_storage (project_id, bytes)"
        f" SELECT project_id, sum(bytes) FROM ({there}) AS there GROUP BY project_id"
    )


def _triggers() -> Iterator[str]:
    for of, counted in _COUNTED.items():
        for event, tables in _TABLES.items():
            name = f"{of}_count_bytes_{event.lower()}"
            yield f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $${_body(event, counted)}$$"
            yield (f"CREATE TRIGGER {name} AFTER {event} ON {of} {tables} FOR EACH STATEMENT EXECUTE FUNCTION {name}()")


def _body(event: str, counted: str) -> str:
    """The function of a trigger: adds to the rows of the projects concerned what has been added less what has gone.

    Their rows are locked in one order, so that two that delete files of the same projects do not wait for each other.
    """
    signs = {"INSERT": ("added", ""), "DELETE": ("removed", "-")}
    parts = [signs[event]] if event in signs else list(signs.values())
    changes = " UNION ALL ".join(f"SELECT project_id, {sign}({counted}) AS bytes FROM {table}" for table, sign in parts)
    grouped = (
        f"SELECT project_id, sum(bytes) AS bytes FROM ({changes}) AS one GROUP BY project_id HAVING sum(bytes) <> 0"
    )
    if event == "INSERT":
        work = f"""
    INSERT INTO project_storage AS held (project_id, bytes) {grouped} ORDER BY project_id
        ON CONFLICT (project_id) DO UPDATE SET bytes = held.bytes + excluded.bytes;"""
    else:
        # A project that is being deleted has no row any more.
        work = f"""
    PERFORM 1 FROM project_storage WHERE project_id IN (SELECT project_id FROM ({grouped}) AS concerned)
        ORDER BY project_id FOR UPDATE;
    UPDATE project_storage AS held SET bytes = held.bytes + change.bytes
        FROM ({grouped}) AS change WHERE held.project_id = change.project_id;"""
    return f"""
BEGIN{work}
    RETURN NULL;
END"""


def downgrade() -> None:
    for of in _COUNTED:
        for event in _TABLES:
            name = f"{of}_count_bytes_{event.lower()}"
            op.execute(f"DROP TRIGGER {name} ON {of}")
            op.execute(f"DROP FUNCTION {name}()")
    op.drop_table("project_storage")
