"""Brings the database to the tables of this version."""

from functools import cache
from importlib import resources

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import roles
from app.db.session import create_engine
from app.settings import Settings

#: Any number that is ours alone: "locum" in ASCII.
_LOCK = 0x6C6F63756D


class MigrationError(Exception):
    """The database cannot be migrated by this version; the message says why in one line."""


async def upgrade(settings: Settings) -> None:
    """Migrates the database of `settings` to `head()`; does nothing if it is there already.

    One process at a time does it, the others wait for it: several may start at once on one database. Raises
    `MigrationError`, or SQLAlchemy's DBAPIError if the database cannot be reached.
    """
    engine = create_engine(settings, is_patient=True, is_owner=True)
    try:
        async with engine.connect() as connection:
            # Held by the session, not the transaction: it ends with the connection, however that ends.
            await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
            await connection.commit()
            await connection.run_sync(_upgrade)
            await connection.run_sync(roles.ready)
            await connection.commit()
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    try:
        command.upgrade(_config(connection), "head")
    except CommandError as error:
        if current(connection) in _revisions():
            raise
        raise MigrationError("the database was migrated by a newer version of Locum") from error


def current(connection: Connection) -> str | None:
    """The revision that the database is at; None if it was never migrated."""
    return MigrationContext.configure(connection).get_current_revision()


async def pending(session: AsyncSession) -> str | None:
    """What keeps the database from being used by this version, in one line; None if nothing does."""
    found = await (await session.connection()).run_sync(current)
    if found == head():
        return None
    if found is None:
        return "the database is not migrated: run `locum migrate`"
    if found not in _revisions():
        return "the database was migrated by a newer version of Locum"
    return f"the database is at migration {found}, not {head()}: run `locum migrate`"


@cache
def head() -> str:
    """The newest revision of this version."""
    found = _script().get_current_head()
    if found is None:
        raise MigrationError("this installation of Locum has no migrations")
    return found


@cache
def _revisions() -> frozenset[str]:
    return frozenset(script.revision for script in _script().walk_revisions())


def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(resources.files("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
