"""The migrations make the tables of app.models, and undo them; several processes may run them at once."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

import app.models  # noqa: F401 - registers the tables
from app.db import migrate
from app.db.base import Base
from app.db.session import create_engine, create_sessions
from app.settings import Settings
from tests.stack import Stack


@pytest.fixture
def settings(stack: Stack, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Settings with a database of the test's own, which is empty."""
    name = f"migrations_{abs(hash(request.node.name))}"
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield Settings(database_url=stack.database_url.replace("/locum?", f"/{name}?"))
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def connection(settings: Settings) -> AsyncIterator[AsyncConnection]:
    """A connection to it."""
    engine = create_engine(settings, is_owner=True)
    async with engine.connect() as opened:
        yield opened
    await engine.dispose()


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_server_default": True})
    return list(compare_metadata(context, Base.metadata))


async def _indexes(connection: AsyncConnection) -> list[str]:
    query = text("SELECT indexdef FROM pg_indexes WHERE tablename <> 'alembic_version' ORDER BY indexdef")
    return list(await connection.scalars(query))


async def test_the_migrations_make_the_tables_of_the_models(settings: Settings, connection: AsyncConnection) -> None:
    await migrate.upgrade(settings)
    assert await connection.run_sync(_differences) == []
    # Alembic does not compare what a partial index is partial to.
    made = await _indexes(connection)
    await connection.execute(text("DROP VIEW visible_chunks"))
    await connection.run_sync(Base.metadata.drop_all)
    await connection.run_sync(Base.metadata.create_all)
    assert made == await _indexes(connection)


async def test_each_migration_can_be_undone(settings: Settings, connection: AsyncConnection) -> None:
    await migrate.upgrade(settings)
    await connection.run_sync(lambda sync: command.downgrade(migrate._config(sync), "base"))
    tables = await connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
    assert tables.all() == ["alembic_version"]
    await connection.rollback()
    await connection.run_sync(lambda sync: command.upgrade(migrate._config(sync), "head"))


#: As they were before they had a project of their own. `some` has more than are changed with the indexes in place.
_ROWS: Final = """
    INSERT INTO projects (id, name, created_at) SELECT p, p, now() FROM unnest('{many,some,few}'::text[]) AS p;
    INSERT INTO files (id, project_id, created_at, filename, purpose, bytes, sha256, status)
        SELECT 'file-' || id, id, now(), 'a.txt', 'assistants', 1, '', 'processed' FROM projects;
    INSERT INTO vector_stores (id, project_id, created_at, metadata, last_active_at)
        SELECT 'vs_' || id, id, now(), '{}', now() FROM projects;
    INSERT INTO vector_store_files (id, vector_store_id, project_id, created_at, status, chunking_strategy, attributes,
        usage_bytes, attempt, ready_at)
        SELECT 'file-' || id, 'vs_' || id, id, now(), 'completed', '{}', '{}', 1, 0, now() FROM projects;
    INSERT INTO vector_store_file_batches (id, vector_store_id, project_id, created_at, status)
        SELECT 'vsfb_' || id, 'vs_' || id, id, now(), 'completed' FROM projects;
    INSERT INTO vector_store_file_batch_members (batch_id, file_id, vector_store_id)
        SELECT 'vsfb_' || id, 'file-' || id, 'vs_' || id FROM projects;
    INSERT INTO embedding_models (name, dimensions) VALUES ('a model', 2);
    INSERT INTO chunks (vector_store_id, file_id, position, text, embedding_model_id, embedding, words)
        SELECT 'vs_' || id, 'file-' || id, n, '', 1, ARRAY[sin(n), cos(n)]::real[]::halfvec, ''
        FROM (VALUES ('many', 10002), ('some', 10001), ('few', 2)) AS of (id, count), generate_series(1, count) AS n;
    CREATE INDEX chunks_embedding_1_idx ON chunks USING hnsw ((embedding::halfvec(2)) halfvec_cosine_ops)
        WITH (m = 4, ef_construction = 8) WHERE embedding_model_id = 1;
"""


async def test_rows_get_the_project_of_their_store(settings: Settings, connection: AsyncConnection) -> None:
    await migrate.upgrade(settings)
    await connection.run_sync(lambda sync: command.downgrade(migrate._config(sync), "0009"))
    await connection.commit()
    with psycopg.connect(str(settings.database_url), autocommit=True) as database:
        database.execute(_ROWS)
        index = "SELECT indexdef FROM pg_indexes WHERE indexname = 'chunks_embedding_1_idx'"
        made = database.execute(index).fetchone()
        await migrate.upgrade(settings)
        counted = "SELECT project_id, vector_store_id, count(*) FROM chunks GROUP BY 1, 2 ORDER BY 3"
        assert database.execute(counted).fetchall() == [
            ("few", "vs_few", 2),
            ("some", "vs_some", 10_001),
            ("many", "vs_many", 10_002),
        ]
        members = database.execute("SELECT project_id, batch_id FROM vector_store_file_batch_members").fetchall()
        assert sorted(members) == [(name, f"vsfb_{name}") for name in ("few", "many", "some")]
        assert database.execute(index).fetchone() == made


def test_several_processes_may_migrate_at_once(settings: Settings) -> None:
    environment = {**os.environ, "LOCUM_DATABASE_URL": str(settings.database_url)}
    command_line = [sys.executable, "-m", "app.cli", "migrate"]
    several = [subprocess.Popen(command_line, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [(process.communicate()[1], process.returncode) for process in several] == [("", 0)] * 3


async def test_what_is_pending_is_said(settings: Settings) -> None:
    engine = create_engine(settings)
    sessions = create_sessions(engine)
    async with sessions() as session:
        assert await migrate.pending(session) == "the database is not migrated: run `locum migrate`"
    await migrate.upgrade(settings)
    async with sessions() as session:
        assert await migrate.pending(session) is None
        await session.execute(text("UPDATE alembic_version SET version_num = 'later'"))
        await session.commit()
        assert await migrate.pending(session) == "the database was migrated by a newer version of Locum"
    await engine.dispose()
    with pytest.raises(migrate.MigrationError, match="newer version of Locum"):
        await migrate.upgrade(settings)


async def test_a_pool_of_one_connection_will_do(settings: Settings) -> None:
    await migrate.upgrade(settings.model_copy(update={"database_pool_size": 1, "database_pool_timeout": 1}))


def test_the_migrations_are_part_of_the_package() -> None:
    assert Path(migrate._config().get_main_option("script_location") or "").joinpath("env.py").exists()
