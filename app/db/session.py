"""Engine, sessions, and what happens after a commit."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
import orjson
from sqlalchemy import Connection, event
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor, ExceptionContext
from sqlalchemy.exc import DataError, DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from app.settings import Settings
from app.text import is_storable, storable, to_json

Sessions = async_sessionmaker[AsyncSession]
AfterCommit = Callable[[], Awaitable[None]]

#: What is raised while Postgres is away, or out of connections, memory or disk: what was tried may be tried again.
DATABASE_AWAY: Final = (OperationalError, InterfaceError, PoolTimeout, OSError)

_HOOKS: Final = "after_commit"
_RETURNED: Final = "returned"
_IDLE_SECONDS: Final = 1.0
_SHORTEST_PATIENCE: Final = 2.0
#: With these Postgres ends a connection: a transaction was silent for too long, or the server is going away.
_FAREWELLS: Final = ("25P03", "57P")
#: Classes of SQLSTATE that pass by themselves: connections, transactions to be tried again, resources, interventions.
_PASSING: Final = ("08", "40", "53", "57")


def create_engine(settings: Settings) -> AsyncEngine:
    """The engine of this process, with a bounded pool; connections are opened when they are first wanted."""

    async def connect() -> asyncpg.Connection:
        # asyncpg reads the URL itself: it knows libpq's parameters (sslmode, application_name), SQLAlchemy does not.
        try:
            connection = await asyncpg.connect(settings.required_database_url, timeout=settings.database_pool_timeout)
            # By a statement: a pooler in front of Postgres may refuse parameters at the start.
            await connection.execute(f"SET idle_in_transaction_session_timeout = {_patience_ms(settings)}")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise OperationalError("connect", None, error) from error
        return connection

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        json_serializer=lambda value: to_json(value).decode(),
        json_deserializer=orjson.loads,
        pool_size=settings.database_pool_size,
        max_overflow=0,
        pool_timeout=settings.database_pool_timeout,
        # It takes CTEs that change rows for cartesian products, and warns of them.
        enable_from_linting=False,
    )
    _test_idle_connections(engine)
    _name_what_passes(engine)
    _mend_text(engine)
    return engine


def _patience_ms(settings: Settings) -> int:
    """How long Postgres waits for a process in the middle of a transaction.

    One that was stopped or cut off there holds its locks (those of the rows it claimed, that of the sweep) in the way
    of all others. No transaction waits for anything but Postgres, so one as silent as a lost worker belongs to one.
    """
    return round(1000 * max(settings.run_lease_seconds, _SHORTEST_PATIENCE))


def _mend_text(engine: AsyncEngine) -> None:
    """Has the text in the parameters of every statement made storable (app.text), whoever made it and by what means.

    JSON is made so by the engine's serializer.
    """

    @event.listens_for(engine.sync_engine, "before_cursor_execute", retval=True)
    def mend(
        _connection: Connection, _cursor: DBAPICursor, statement: str, parameters: Any, _context: Any, _many: bool
    ) -> tuple[str, Any]:
        return statement, parameters if _is_storable(parameters) else _storable(parameters)


def _is_storable(parameter: Any) -> bool:
    if isinstance(parameter, str):
        return is_storable(parameter)
    if isinstance(parameter, list | tuple):
        return all(map(_is_storable, parameter))
    return True


def _storable(parameter: Any) -> Any:
    if isinstance(parameter, str):
        return storable(parameter)
    if isinstance(parameter, list | tuple):
        return type(parameter)(map(_storable, parameter))
    return parameter


def _test_idle_connections(engine: AsyncEngine) -> None:
    """Has a connection that lay idle for a while tried before it is used: Postgres may have been restarted since.

    SQLAlchemy's own `pool_pre_ping` tries it every time, which costs a busy process a round trip a transaction.
    """

    @event.listens_for(engine.sync_engine, "checkin")
    def note_return(_connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        record.info[_RETURNED] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def test_if_idle(connection: DBAPIConnection, record: ConnectionPoolEntry, _: PoolProxiedConnection) -> None:
        if time.monotonic() - record.info.get(_RETURNED, time.monotonic()) < _IDLE_SECONDS:
            return
        dialect = engine.dialect
        try:
            dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as error:
            # The pool takes this for: get another connection.
            raise DisconnectionError from error


def _name_what_passes(engine: AsyncEngine) -> None:
    """Has what passes by itself raised as an OperationalError: a lost connection, whatever the last words on it were,
    and what Postgres cannot do at the moment.

    SQLAlchemy takes most of asyncpg's errors for a bare DBAPIError. And where Postgres ends a connection at the moment
    at which it is asked something, asyncpg complains of its own state.
    """

    @event.listens_for(engine.sync_engine, "handle_error")
    def name(context: ExceptionContext) -> None:
        error = context.sqlalchemy_exception
        if not isinstance(error, DBAPIError):
            return
        original = context.original_exception
        if _is_about_arguments(original):
            raise DataError(context.statement, None, original) from original
        if _is_loss(original):
            # The pool gives the connection up.
            context.is_disconnect = True
        passes = context.is_disconnect or _sqlstate(original).startswith(_PASSING)
        if passes and not isinstance(error, (OperationalError, InterfaceError)):
            raise OperationalError(
                context.statement, None, original, connection_invalidated=context.is_disconnect
            ) from original


def _is_about_arguments(error: BaseException) -> bool:
    """Whether asyncpg could not send the values of a statement: to it that is an InterfaceError, as a loss is."""
    cause = error.__cause__
    return isinstance(cause, asyncpg.DataError) or (
        isinstance(cause, asyncpg.InterfaceError) and "query arguments" in str(cause)
    )


def _is_loss(error: BaseException) -> bool:
    return isinstance(error, AsyncAdapt_asyncpg_dbapi.InternalClientError) or _sqlstate(error).startswith(_FAREWELLS)


def _sqlstate(error: BaseException) -> str:
    return getattr(error, "sqlstate", None) or ""


def create_sessions(engine: AsyncEngine, **info: Any) -> Sessions:
    """A maker of sessions whose objects stay readable after the commit (they are answered with).

    `info` is found again in each session's `info`: see app.signals.
    """
    return async_sessionmaker(engine, expire_on_commit=False, info=info)


def after_commit(session: AsyncSession, hook: AfterCommit) -> None:
    """Has `hook` awaited once the block of `session` is left and all is committed; dropped if an error leaves it."""
    session.info.setdefault(_HOOKS, []).append(hook)


@asynccontextmanager
async def autocommit(sessions: Sessions) -> AsyncIterator[AsyncSession]:
    """A session whose every statement is a transaction of its own: BEGIN and COMMIT are two round trips saved.

    For what a run does on its way to the first token. Everything else is a `transaction`. The after-commit hooks run at
    the end of the block.
    """
    async with sessions() as session:
        await session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
        yield session
        hooks = _taken_hooks(session)
    await _call(hooks)


@asynccontextmanager
async def transaction(sessions: Sessions) -> AsyncIterator[AsyncSession]:
    """One transaction: commits at the end of the block, rolls back on an error, then runs the after-commit hooks.

    Every write of Locum goes through here: a request is one such block, a run many short ones. The hooks run in the
    order of their making, when the connection has gone back to the pool.
    """
    async with sessions() as session:
        async with session.begin():
            yield session
        hooks = _taken_hooks(session)
    await _call(hooks)


def _taken_hooks(session: AsyncSession) -> list[AfterCommit]:
    hooks: list[AfterCommit] = session.info.pop(_HOOKS, [])
    return hooks


async def _call(hooks: list[AfterCommit]) -> None:
    for hook in hooks:
        await hook()
