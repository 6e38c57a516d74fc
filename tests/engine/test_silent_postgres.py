"""A Postgres that keeps its connections and says nothing, or that takes no changes any more."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.db.session import Sessions, autocommit, be_patient, create_engine, create_sessions, transaction
from app.settings import Settings
from tests.faults.network import before_postgres
from tests.faults.relay import Relay
from tests.stack import Stack

SECONDS = 1.0


@pytest.fixture(scope="module")
def sockets(stack: Stack) -> Path:
    """The folder of Postgres's socket."""
    return Path(parse_qs(urlsplit(stack.database_url).query)["host"][0])


@pytest.fixture(scope="module")
def network(stack: Stack, sockets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Relay, Settings]]:
    """A network before Postgres, and settings to go through it."""
    folder = tmp_path_factory.mktemp("net")
    url = stack.database_url.replace(quote(str(sockets), safe=""), quote(str(folder), safe=""))
    with before_postgres(sockets, folder) as relay:
        yield relay, Settings(database_url=url, database_pool_size=3, database_command_timeout=SECONDS)


@pytest.fixture
async def pool(network: tuple[Relay, Settings]) -> AsyncIterator[AsyncEngine]:
    opened = create_engine(network[1])
    yield opened
    network[0].let_go()
    await opened.dispose()


@pytest.fixture
def sessions(pool: AsyncEngine) -> Sessions:
    return create_sessions(pool).of_all()


async def ask(sessions: Sessions, statement: str = "SELECT 1") -> Any:
    async with transaction(sessions) as session:
        return await session.scalar(text(statement))


async def change(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        await session.execute(text("INSERT INTO only_on_a_primary VALUES (1)"))


async def fill(sessions: Sessions) -> None:
    """Opens every connection of the pool."""

    async def one(session: AsyncSession, all_there: asyncio.Barrier) -> None:
        await session.scalar(text("SELECT 1"))
        await all_there.wait()

    barrier = asyncio.Barrier(3)
    async with sessions() as a, sessions() as b, sessions() as c:
        await asyncio.gather(*(one(session, barrier) for session in (a, b, c)))


@pytest.mark.parametrize("block", [transaction, autocommit])
async def test_a_statement_that_is_not_answered_costs_seconds_and_the_next_finds_a_connection(
    sessions: Sessions, network: tuple[Relay, Settings], block: Any
) -> None:
    await fill(sessions)
    begun = time.monotonic()
    with pytest.raises(OperationalError, match="TimeoutError"):  # noqa: PT012 - the block is the transaction
        async with block(sessions) as session:
            await session.scalar(text("SELECT 1"))
            network[0].silence()
            await session.scalar(text("SELECT 2"))
    assert time.monotonic() - begun < SECONDS + 1
    begun = time.monotonic()
    assert await asyncio.gather(*(ask(sessions) for _ in range(6))) == 6 * [1]
    assert time.monotonic() - begun < SECONDS


async def test_idle_connections_that_have_fallen_silent_cost_one_look(
    sessions: Sessions, network: tuple[Relay, Settings]
) -> None:
    await fill(sessions)
    network[0].silence()
    await asyncio.sleep(1.1)  # from then on a connection is tried before it is used
    begun = time.monotonic()
    assert [await ask(sessions) for _ in range(6)] == 6 * [1]
    assert time.monotonic() - begun < 4


async def test_no_connection_can_be_had_for_a_while(sessions: Sessions, network: tuple[Relay, Settings]) -> None:
    await ask(sessions)
    network[0].hold()
    begun = time.monotonic()
    for _ in range(2):
        with pytest.raises(OperationalError):
            await ask(sessions)
    assert time.monotonic() - begun < 2 * 6
    network[0].let_go()
    assert await ask(sessions) == 1


async def test_what_is_known_to_take_long_may(sessions: Sessions) -> None:
    long = f"SELECT 1 FROM pg_sleep({SECONDS + 0.5})"
    async with transaction(sessions) as session:
        await be_patient(session)
        assert await session.scalar(text(long)) == 1
    # It was for that transaction alone.
    with pytest.raises(OperationalError):
        await ask(sessions, long)


@pytest.fixture
def _a_table(stack: Stack) -> Iterator[None]:
    with psycopg.connect(stack.database_url, autocommit=True) as database:
        database.execute("CREATE TABLE only_on_a_primary (one int)")
        database.execute("GRANT INSERT ON only_on_a_primary TO PUBLIC")
        yield
        database.execute("DROP TABLE only_on_a_primary")


@pytest.mark.usefixtures("_a_table")
async def test_a_server_that_takes_no_changes_any_more_is_left_for_the_one_that_does(
    sessions: Sessions, network: tuple[Relay, Settings], stack: Stack
) -> None:
    """As in a failover: the old primary still reads, and new connections lead to the new one."""
    await fill(sessions)
    taken = network[0].connections

    def demote(value: str) -> None:
        with psycopg.connect(stack.database_url, autocommit=True) as database:
            database.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
            database.execute("SELECT pg_reload_conf()")

    demote("on")
    try:
        async with asyncio.timeout(5):
            while await ask(sessions, "SHOW transaction_read_only") == "off":
                pass
        with pytest.raises(OperationalError, match="read-only"):
            await change(sessions)
    finally:
        demote("off")
    async with asyncio.timeout(5):
        while await ask(sessions, "SHOW transaction_read_only") == "on":
            pass
    await change(sessions)
    await fill(sessions)
    assert network[0].connections >= taken + 3, "no connection of the old server was used again"
