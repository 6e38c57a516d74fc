"""A process that falls silent in the middle of a transaction does not keep its locks, against a real Postgres."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.exc import DBAPIError

from app.db.session import Sessions, create_engine, create_sessions, transaction
from app.services.run_claims import try_sweep_lock
from app.settings import Settings
from tests.stack import Stack


@pytest.fixture
async def sessions(stack: Stack) -> AsyncIterator[Sessions]:
    engine = create_engine(Settings(database_url=stack.database_url, run_lease_seconds=0.1))
    yield create_sessions(engine)
    await engine.dispose()


async def test_the_locks_of_a_process_that_stopped_in_a_transaction_come_free(sessions: Sessions) -> None:
    async with asyncio.timeout(30):
        async with sessions() as stopped:
            assert await try_sweep_lock(stopped)
            await _lock_comes_free(sessions)
            # It wakes up: what it writes now comes too late, and it hears so.
            with pytest.raises(DBAPIError):
                await try_sweep_lock(stopped)
        # The pool has another connection for the next.
        async with transaction(sessions) as again:
            assert await try_sweep_lock(again)


async def _lock_comes_free(sessions: Sessions) -> None:
    while True:
        async with transaction(sessions) as other:
            if await try_sweep_lock(other):
                return
        await asyncio.sleep(0.05)
