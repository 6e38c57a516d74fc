"""A connection to Postgres that is never waited for without end: neither its opening, nor a statement, nor its peer.

It is subject to row-level security (app.db.project), unless it is opened as the owner of the tables.
"""

import asyncio
from typing import Any, ClassVar, Final

import asyncpg
import structlog
from sqlalchemy.exc import OperationalError

from app.db.keepalive import keep_alive
from app.db.project import ALL, ROLE, ScopedConnection
from app.db.roles import BECOMING, IN_FORCE, complaint
from app.settings import Settings

log = structlog.get_logger()

#: For a connection to be opened, where the pool's time-out is not shorter.
_CONNECT_SECONDS: Final = 5.0
#: For what takes long, and is known to.
_LONG_SECONDS: Final = 600.0
_SHORTEST_PATIENCE: Final = 2.0


#: Superusers and roles with BYPASSRLS become one that is not; any other is subject to the policies itself. Before the
#: migration to them there is no such role, or it knows nothing of this database. Tables are looked for where they were:
#: a path of schemas may have the role's name in it.
_BECOME_SUBJECT: Final = (
    "SELECT set_config('search_path',"  # noqa: S608
    " (SELECT string_agg(quote_ident(name), ',') FROM unnest(current_schemas(false)) AS name), false),"
    f" set_config('role', '{ROLE}', false) FROM pg_roles AS given, pg_roles AS wanted"
    f" WHERE given.rolname = session_user AND (given.rolsuper OR given.rolbypassrls) AND wanted.rolname = '{ROLE}'"
    f" AND pg_has_role(given.oid, wanted.oid, {BECOMING})"
    " AND has_table_privilege(wanted.oid, to_regclass('visible_chunks'), 'SELECT')"
)
#: What a pooler of connections left from another process is undone. Policies hold for the owner of the tables, too.
_BE_OWNER: Final = f"RESET ROLE; SET locum.project = '{ALL}'"


class LocumConnection(ScopedConnection):
    """asyncpg's, with two kinds of patience."""

    #: Whether this process has looked if row-level security holds.
    is_known: ClassVar[bool] = False

    def be_patient(self) -> None:
        """Lets statements take minutes, until `be_usual`."""
        self._limit_statements(_LONG_SECONDS)

    def be_usual(self, settings: Settings) -> None:
        """Lets statements take what the settings say."""
        self._limit_statements(settings.database_command_timeout)

    def keep_alive(self) -> None:
        """Has the kernel notice a peer that is gone without a word."""
        if (opened := self._transport.get_extra_info("socket")) is not None:
            keep_alive(opened)

    def _limit_statements(self, seconds: float) -> None:
        config: Any = self._config
        self._config: Any = config._replace(command_timeout=seconds)

    async def _cleanup_stmts(self) -> None:
        """Closes statements that are not used any more, which asyncpg does without a time-out."""
        async with asyncio.timeout(self._config.command_timeout):
            await super()._cleanup_stmts()


async def connect(settings: Settings, *, is_patient: bool, is_owner: bool) -> Any:
    """Returns a new connection. Raises SQLAlchemy's OperationalError if there is none to be had.

    `is_owner`: with the rights of the role that logs in, to make tables and change rows of all projects; else with
    those to use them.

    asyncpg reads the URL itself: it knows libpq's parameters (sslmode, application_name, several hosts and
    target_session_attrs), SQLAlchemy does not.
    """
    try:
        connection = await asyncpg.connect(
            settings.required_database_url,
            timeout=min(settings.database_pool_timeout, _CONNECT_SECONDS),
            command_timeout=_LONG_SECONDS if is_patient else settings.database_command_timeout,
            connection_class=LocumConnection,
        )
        connection.keep_alive()
        # By a statement: a pooler in front of Postgres may refuse parameters at the start.
        patience = f"SET idle_in_transaction_session_timeout = {_patience_ms(settings)}"
        await connection.execute(f"{patience}; {_BE_OWNER if is_owner else _BECOME_SUBJECT}")
        if not is_owner:
            await _complain_once(connection)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise OperationalError("connect", None, error) from error
    return connection


async def _complain_once(connection: LocumConnection) -> None:
    """Has the log say if row-level security does not hold, by the first connection of the process."""
    if not LocumConnection.is_known:
        found = complaint(*await connection.fetchrow(IN_FORCE))
        LocumConnection.is_known = True
        if found is not None:
            log.error("row_level_security_does_not_hold", problem=found)


def _patience_ms(settings: Settings) -> int:
    """How long Postgres waits for a process in the middle of a transaction.

    One that was stopped or cut off there holds its locks (those of the rows it claimed, that of the sweep) in the way
    of all others. No transaction waits for anything but Postgres, so one as silent as a lost worker belongs to one.
    """
    return round(1000 * max(settings.run_lease_seconds, _SHORTEST_PATIENCE))
