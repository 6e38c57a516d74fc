"""The migrations make the tables of app.models, and undo them; several processes may run them at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

import app.models  # noqa: F401 - registers the tables
from app.db import migrate
from app.db.base import Base
from app.db.session import create_engine as create_async_engine
from app.db.session import create_sessions
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


def _connect(settings: Settings) -> Connection:
    return create_engine(settings.sqlalchemy_url, poolclass=NullPool).connect()


def test_the_migrations_make_the_tables_of_the_models(settings: Settings) -> None:
    migrate.upgrade(settings)
    with _connect(settings) as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
        # Alembic does not compare what a partial index is partial to.
        made = connection.scalars(text("SELECT indexdef FROM pg_indexes WHERE indexname LIKE 'runs_%'")).all()
        connection.rollback()
        Base.metadata.drop_all(connection)
        Base.metadata.create_all(connection)
        modelled = connection.scalars(text("SELECT indexdef FROM pg_indexes WHERE indexname LIKE 'runs_%'")).all()
        assert sorted(made) == sorted(modelled)


def test_each_migration_can_be_undone(settings: Settings) -> None:
    migrate.upgrade(settings)
    with _connect(settings) as connection:
        command.downgrade(migrate._config(connection), "base")
        tables = connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
        assert tables == ["alembic_version"]
        connection.rollback()
        command.upgrade(migrate._config(connection), "head")


def test_several_processes_may_migrate_at_once(settings: Settings) -> None:
    with ThreadPoolExecutor(4) as pool:
        upgrades = [pool.submit(migrate.upgrade, settings) for _ in range(4)]
    for upgrade in upgrades:
        upgrade.result()


async def test_what_is_pending_is_said(settings: Settings) -> None:
    engine = create_async_engine(settings)
    sessions = create_sessions(engine)
    async with sessions() as session:
        assert await migrate.pending(session) == "the database is not migrated: run `locum migrate`"
    migrate.upgrade(settings)
    async with sessions() as session:
        assert await migrate.pending(session) is None
        await session.execute(text("UPDATE alembic_version SET version_num = 'later'"))
        await session.commit()
        assert await migrate.pending(session) == "the database was migrated by a newer version of Locum"
    await engine.dispose()
    with pytest.raises(migrate.MigrationError, match="newer version of Locum"):
        migrate.upgrade(settings)


def test_the_migrations_are_part_of_the_package() -> None:
    assert Path(migrate._config().get_main_option("script_location") or "").joinpath("env.py").exists()
