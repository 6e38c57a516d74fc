"""A process that falls silent in the middle of a transaction does not keep its locks, against a real Postgres."""

from collections.abc import AsyncIterator

import psycopg
import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import Sessions, create_engine, create_sessions, transaction
from app.settings import Settings
from tests.running import wait_for
from tests.stack import Stack

#: Nobody's but this test's.
_LOCK = 0x10C0_7E57


@pytest.fixture
async def sessions(stack: Stack) -> AsyncIterator[Sessions]:
    engine = create_engine(Settings(database_url=stack.database_url, run_lease_seconds=0.1))
    yield create_sessions(engine).of_all()
    await engine.dispose()


@pytest.mark.parametrize("last_words", ["statement", "commit"])
async def test_the_locks_of_a_process_that_stopped_in_a_transaction_come_free(
    sessions: Sessions, stack: Stack, last_words: str
) -> None:
    with pytest.raises((InterfaceError, OperationalError)):  # noqa: PT012 - the block is the transaction
        async with transaction(sessions) as stopped:
            assert await _try_lock(stopped)
            # The loop stands still meanwhile, as it does in a process that is stopped.
            _wait_until_free(stack)
            # It wakes up: what it writes now comes too late, and it hears so.
            if last_words == "statement":
                await _try_lock(stopped)
    # The pool has another connection for the next.
    async with transaction(sessions) as again:
        assert await _try_lock(again)


def _wait_until_free(stack: Stack) -> None:
    with psycopg.connect(stack.database_url, autocommit=True) as other:
        query = "SELECT pg_try_advisory_xact_lock(%s)"
        assert other.execute(query, [_LOCK]).fetchone() == (False,)
        wait_for(lambda: other.execute(query, [_LOCK]).fetchone() == (True,), "the lock", 30)


async def _try_lock(session: AsyncSession) -> bool:
    return bool(await session.scalar(select(func.pg_try_advisory_xact_lock(_LOCK))))
