"""Engine, sessions, and what happens after a commit."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from app.settings import Settings

Sessions = async_sessionmaker[AsyncSession]
AfterCommit = Callable[[], Awaitable[None]]

_HOOKS = "after_commit"


def create_engine(settings: Settings) -> AsyncEngine:
    """The engine of this process, with a bounded pool; connections are opened when they are first wanted."""
    return create_async_engine(
        settings.sqlalchemy_url,
        pool_size=settings.database_pool_size,
        max_overflow=0,
        pool_timeout=settings.database_pool_timeout,
        pool_pre_ping=True,
    )


def create_sessions(engine: AsyncEngine, **info: Any) -> Sessions:
    """A maker of sessions whose objects stay readable after the commit (they are answered with).

    `info` is found again in each session's `info`: see app.signals.
    """
    return async_sessionmaker(engine, expire_on_commit=False, info=info)


def after_commit(session: AsyncSession, hook: AfterCommit) -> None:
    """Has `hook` awaited once the transaction of `session` is committed; dropped if it is rolled back."""
    session.info.setdefault(_HOOKS, []).append(hook)


@asynccontextmanager
async def transaction(sessions: Sessions) -> AsyncIterator[AsyncSession]:
    """One transaction: commits at the end of the block, rolls back on an error, then runs the after-commit hooks.

    Every write of Locum goes through here: a request is one such block, a run many short ones. The hooks run in the
    order of their making, when the connection has gone back to the pool.
    """
    async with sessions() as session:
        async with session.begin():
            yield session
        hooks: list[AfterCommit] = session.info.pop(_HOOKS, [])
    for hook in hooks:
        await hook()
