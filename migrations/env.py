"""How Alembic reaches the database: by the connection that app.db.migrate hands it, else by Locum's settings."""

import asyncio

from alembic import context
from sqlalchemy import Connection

import app.models  # noqa: F401 - registers the tables
from app.db.base import Base
from app.db.session import create_engine
from app.settings import Settings


def migrate(connection: Connection) -> None:
    """Runs the migrations that Alembic was asked for, all in one transaction."""
    context.configure(connection=connection, target_metadata=Base.metadata, compare_server_default=True)
    with context.begin_transaction():
        context.run_migrations()


async def migrate_by_settings() -> None:
    """For Alembic's own command line."""
    engine = create_engine(Settings(), is_patient=True, is_owner=True)
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    asyncio.run(migrate_by_settings())
