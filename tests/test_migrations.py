"""The migrations make the tables of app.models, and undo them; several processes may run them at once."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

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
    engine = create_engine(settings)
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
