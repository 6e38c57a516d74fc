"""A connection to Postgres that is never waited for without end: neither its opening, nor a statement, nor its peer."""

import asyncio
from typing import Any, Final

import asyncpg
from sqlalchemy.exc import OperationalError

from app.db.keepalive import keep_alive
from app.settings import Settings

#: For a connection to be opened, where the pool's time-out is not shorter.
_CONNECT_SECONDS: Final = 5.0
#: For what takes long, and is known to.
_LONG_SECONDS: Final = 600.0
_SHORTEST_PATIENCE: Final = 2.0


class LocumConnection(asyncpg.Connection):  # type: ignore[misc] # asyncpg tells no types
    """asyncpg's, with two kinds of patience."""

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


async def connect(settings: Settings, *, is_patient: bool) -> Any:
    """Returns a new connection. Raises SQLAlchemy's OperationalError if there is none to be had.

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
        await connection.execute(f"SET idle_in_transaction_session_timeout = {_patience_ms(settings)}")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise OperationalError("connect", None, error) from error
    return connection


def _patience_ms(settings: Settings) -> int:
    """How long Postgres waits for a process in the middle of a transaction.

    One that was stopped or cut off there holds its locks (those of the rows it claimed, that of the sweep) in the way
    of all others. No transaction waits for anything but Postgres, so one as silent as a lost worker belongs to one.
    """
    return round(1000 * max(settings.run_lease_seconds, _SHORTEST_PATIENCE))
