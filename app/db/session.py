"""Engine, sessions, and what happens after a commit."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import asyncpg
import orjson
from sqlalchemy import Connection, event
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor, ExceptionContext
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from app.db.connection import LocumConnection, connect
from app.db.project import ALL
from app.settings import Settings
from app.text import is_storable, storable, to_json

AfterCommit = Callable[[], Awaitable[None]]

#: What is raised while Postgres is away, or out of connections, memory or disk: what was tried may be tried again.
DATABASE_AWAY: Final = (OperationalError, InterfaceError, PoolTimeout, OSError)


def is_outage(error: BaseException) -> bool:
    """Returns whether one of DATABASE_AWAY tells that the database was away, and not of something else that broke."""
    if isinstance(error, InterfaceError):
        return error.connection_invalidated
    return not isinstance(error, OSError) or isinstance(error, ConnectionError | TimeoutError)


_HOOKS: Final = "after_commit"
_RETURNED: Final = "returned"
_PATIENT: Final = "patient"
_PROJECT: Final = "project"
_IDLE_SECONDS: Final = 1.0
_PING_SECONDS: Final = 2.0
#: With these a connection is of no use any more: a transaction was silent for too long, the server is going away, or it
#: takes no changes, since another one is the primary now.
_FAREWELLS: Final = ("25P03", "57P", "25006")
#: Classes of SQLSTATE that pass by themselves: connections, transactions to be tried again, resources, interventions.
_PASSING: Final = ("08", "40", "53", "57")


def create_engine(settings: Settings, *, is_patient: bool = False, is_owner: bool = False) -> AsyncEngine:
    """The engine of this process, with a bounded pool; connections are opened when they are first wanted.

    `is_patient`: for a command of its own, whose statements may take long. `is_owner`: for migrations.
    """
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=partial(connect, settings, is_patient=is_patient, is_owner=is_owner),
        json_serializer=lambda value: to_json(value).decode(),
        json_deserializer=orjson.loads,
        pool_size=settings.database_pool_size,
        max_overflow=0,
        pool_timeout=settings.database_pool_timeout,
        # It takes CTEs that change rows for cartesian products, and warns of them.
        enable_from_linting=False,
    )
    _test_idle_connections(engine)
    _drop_at_once(engine)
    _name_what_passes(engine)
    _mend_text(engine)
    _leave_project(engine)
    if not is_patient:
        _end_patience(engine, settings)
    return engine


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
    """Has a connection that lay idle for a while tried before it is used: Postgres may have been restarted since, or
    the network may hold what is sent. Where one does not answer, the others that lie idle are given up with it.

    SQLAlchemy's own `pool_pre_ping` tries it every time, which costs a busy process a round trip a transaction.
    """

    @event.listens_for(engine.sync_engine, "checkin")
    def note_return(_connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        record.info[_RETURNED] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def test_if_idle(connection: Any, record: ConnectionPoolEntry, _: PoolProxiedConnection) -> None:
        if time.monotonic() - record.info.get(_RETURNED, time.monotonic()) < _IDLE_SECONDS:
            return
        try:
            connection.run_async(_ping)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            # (The last is asyncpg's complaint of its own state, where the end came as something was asked.)
            # The pool takes this for: get another connection, and those that were opened before this moment likewise.
            raise InvalidatePoolError from error


async def _ping(connection: asyncpg.Connection) -> None:
    await connection.execute("SELECT 1", timeout=_PING_SECONDS)


def _drop_at_once(engine: AsyncEngine) -> None:
    """Has connections closed without waiting for the other side, which may be silent: seconds for each of them."""

    @event.listens_for(engine.sync_engine, "close")
    def drop(connection: Any, _record: ConnectionPoolEntry) -> None:
        connection.driver_connection.terminate()


def _end_patience(engine: AsyncEngine, settings: Settings) -> None:
    """Has a connection that was made patient by `be_patient` be as usual when it is given back."""

    @event.listens_for(engine.sync_engine, "checkin")
    def end(connection: Any, record: ConnectionPoolEntry) -> None:
        if record.info.pop(_PATIENT, False) and connection is not None:
            connection.driver_connection.be_usual(settings)


def _name_what_passes(engine: AsyncEngine) -> None:
    """Has what passes by itself raised as an OperationalError: a lost connection, whatever the last words on it were,
    and what Postgres cannot do at the moment.

    SQLAlchemy takes most of asyncpg's errors for a bare DBAPIError. And where Postgres ends a connection at the moment
    at which it is asked something, asyncpg complains of its own state.
    """

    @event.listens_for(engine.sync_engine, "handle_error")
    def name(context: ExceptionContext) -> None:
        error = context.sqlalchemy_exception
        original = context.original_exception
        if isinstance(original, TimeoutError):
            # The answer may come yet, to nobody; and other connections may be as silent. SQLAlchemy leaves errors that
            # are none of the driver's as they are.
            context.is_disconnect = context.invalidate_pool_on_disconnect = True
            raise OperationalError(context.statement, None, original, connection_invalidated=True) from original
        if not isinstance(error, DBAPIError):
            return
        if _is_about_arguments(original):
            # Where the connection had to be given up for it, the others are as good as before.
            context.invalidate_pool_on_disconnect = False
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


def _leave_project(engine: AsyncEngine) -> None:
    """Has a connection that is given back be of no project."""

    @event.listens_for(engine.sync_engine, "checkin")
    def leave(connection: Any, _record: ConnectionPoolEntry) -> None:
        if connection is not None:
            connection.driver_connection.project = None


@dataclass(frozen=True, slots=True)
class Sessions:
    """Makes sessions. Those see the rows of one project, of all, or, as long as none is named, of none."""

    _maker: async_sessionmaker[AsyncSession]
    _project: str | None = None

    def __call__(self) -> AsyncSession:
        """Returns a new session."""
        return self._maker(info={_PROJECT: self._project})

    @property
    def engine(self) -> AsyncEngine:
        """Whose connections the sessions use."""
        engine: AsyncEngine = self._maker.kw["bind"]
        return engine

    def of(self, project_id: str) -> "Sessions":
        """Returns the same for a project."""
        return Sessions(self._maker, project_id)

    def of_all(self) -> "Sessions":
        """Returns the same for all projects: for what works across them, claims and sweeps, and for nothing else."""
        return self.of(ALL)


class _ProjectSession(Session):
    """What an AsyncSession of ours stands on."""


@event.listens_for(_ProjectSession, "after_begin")
def _enter_project(session: Session, _transaction: SessionTransaction, connection: Connection) -> None:
    _set_project(connection, session.info.get(_PROJECT))


def _set_project(connection: Connection, project: str | None) -> None:
    opened = connection.connection.driver_connection
    if isinstance(opened, LocumConnection):
        opened.project = project


async def enter(session: AsyncSession, project_id: str) -> None:
    """Has `session`, until now of no project, see the rows of one from its next statement on."""
    session.info[_PROJECT] = project_id
    await session.run_sync(lambda sync: _set_project(sync.connection(), project_id))


def create_sessions(engine: AsyncEngine, **info: Any) -> Sessions:
    """A maker of sessions whose objects stay readable after the commit (they are answered with).

    `info` is found again in each session's `info`: see app.signals.
    """
    maker = async_sessionmaker(engine, expire_on_commit=False, info=info, sync_session_class=_ProjectSession)
    return Sessions(maker)


def after_commit(session: AsyncSession, hook: AfterCommit) -> None:
    """Has `hook` awaited once the block of `session` is left and all is committed; dropped if an error leaves it."""
    session.info.setdefault(_HOOKS, []).append(hook)


async def be_patient(session: AsyncSession) -> None:
    """Lets the statements of this transaction take minutes: how much they do depends on how much there is."""
    raw = await (await session.connection()).get_raw_connection()
    if isinstance(raw.driver_connection, LocumConnection):
        raw.driver_connection.be_patient()
        raw.info[_PATIENT] = True


@asynccontextmanager
async def patient_transaction(sessions: Sessions) -> AsyncIterator[AsyncSession]:
    """A `transaction` that may take minutes."""
    async with transaction(sessions) as session:
        await be_patient(session)
        yield session


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
