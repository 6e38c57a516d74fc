"""Row-level security: beneath every query's own filter, rows are seen by transactions of their project alone.

A transaction is of the project that the parameter `locum.project` names, of all where that is `*`, of none where it is
not set (app.db.project). Tables that tell who may have a project are read before one is known, and have no policy.
"""

import sqlalchemy as sa
from alembic import op

from migrations.columns import id_

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_TABLES = (
    "assistants", "threads", "messages", "runs", "run_steps", "files", "uploads", "upload_parts", "documents",
    "vector_stores", "vector_store_files", "vector_store_file_batches", "vector_store_file_batch_members",
    "idempotency_keys", "imported_places", "project_storage",
)  # fmt: skip
_MEMBERS = "vector_store_file_batch_members"

#: Subqueries are evaluated once a statement, not once a row. CASE, since an OR would have the planner expect few rows.
_GIVEN = "(SELECT current_setting('locum.project', true))"
_VISIBLE = f"CASE WHEN {_GIVEN} = '*' THEN true ELSE project_id = {_GIVEN} END"

#: Rows of one table that are changed for their project. Beyond them the indexes of vectors are made anew, which takes
#: less time than to have each row added to them.
_MANY = 10_000


def upgrade() -> None:
    _give_project("chunks", "vector_stores", "vector_store_id")
    _give_project(_MEMBERS, "vector_store_file_batches", "batch_id")
    for table in _TABLES:
        op.execute(f"CREATE POLICY of_project ON {table} USING ({_VISIBLE}) WITH CHECK ({_VISIBLE})")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    # A view of the owner's, without a policy: those keep Postgres from the index of words.
    visible = f"SELECT * FROM chunks WHERE {_VISIBLE} WITH CHECK OPTION"
    op.execute(f"CREATE VIEW visible_chunks AS {visible}")
    # Of columns that a role must not read it is told no statistics either.
    op.execute(
        """
        CREATE FUNCTION common_words_of_chunks(given text[], above real) RETURNS TABLE (word text, share real)
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
            SELECT quote_literal(common.word), common.share FROM pg_catalog.pg_stats,
            unnest(most_common_elems::text::text[], most_common_elem_freqs) AS common (word, share)
            WHERE schemaname = current_schema AND tablename = 'chunks' AND attname = 'words'
            AND quote_literal(common.word) = ANY (given) AND common.share > above
        $$
        """
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION common_words_of_chunks")
    op.execute("DROP VIEW visible_chunks")
    for table in _TABLES:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY")
        op.execute(f"DROP POLICY of_project ON {table}")
    for table in (_MEMBERS, "chunks"):
        op.drop_column(table, "project_id")


def _give_project(table: str, parent: str, key: str) -> None:
    """Adds the project of a table's rows, that of their parents.

    The project that most rows are of is the column's default while it is added: they are not touched.
    """
    connection = op.get_bind()
    of_parent = f"FROM {table} AS child JOIN {parent} AS parent ON parent.id = child.{key}"
    counted = f"SELECT parent.project_id, count(*) {of_parent} GROUP BY 1 ORDER BY 2 DESC, 1"
    projects = connection.execute(sa.text(counted)).all()
    if not projects:
        op.add_column(table, id_("project_id", nullable=False))
        return
    most = str(projects[0].project_id)
    # Not a parameter: DDL has none. The id is one of ours, and quoted.
    default = sa.text("'" + most.replace("'", "''") + "'")
    op.add_column(table, sa.Column("project_id", sa.Text(collation="C"), nullable=False, server_default=default))
    op.alter_column(table, "project_id", server_default=None)
    others = sum(count for _, count in projects[1:])
    indexes = _vector_indexes() if table == "chunks" and others > _MANY else []
    for name, _ in indexes:
        op.execute(f'DROP INDEX "{name}"')
    if others:
        op.execute(
            sa.text(
                f"UPDATE {table} AS child SET project_id = parent.project_id FROM {parent} AS parent"
                f" WHERE parent.id = child.{key} AND parent.project_id <> :most"
            ).bindparams(most=most)
        )
    for _, made in indexes:
        op.execute(made)


def _vector_indexes() -> list[tuple[str, str]]:
    """The names of the indexes over the vectors of chunks, and how each is made."""
    query = (
        "SELECT indexname, indexdef FROM pg_indexes"
        " WHERE schemaname = current_schema AND tablename = 'chunks' AND indexdef LIKE '%USING hnsw%'"
    )
    return [(name, made) for name, made in op.get_bind().execute(sa.text(query))]
