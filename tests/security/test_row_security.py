"""Row-level security: what a query sees and touches that has forgotten its filter."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import httpx2
import psycopg
import pytest
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import DBAPIError

from app import models, pagination
from app.db.base import Base
from app.db.session import Sessions, autocommit, create_engine, create_sessions, enter, transaction
from app.main import create_app
from app.settings import Settings
from tests.api.test_errors import settings_of
from tests.running import Locum
from tests.stack import Stack

#: They tell who may have a project, and are read before one is known; or they are of no project.
WITHOUT_POLICY: Final = {"projects", "api_keys", "audit_log", "embedding_models"}
#: What nobody but the owner of the tables may use: the application has a view of it.
_BEHIND_VIEW: Final = {"chunks": models.Chunk.__table__}
TABLES: Final = sorted(set(Base.metadata.tables) - WITHOUT_POLICY)


def _seen_table(name: str) -> Any:
    return _BEHIND_VIEW.get(name, Base.metadata.tables[name])


@pytest.fixture(scope="module")
async def sessions(locum: Locum) -> AsyncIterator[Sessions]:
    engine = create_engine(Settings(database_url=locum.database_url, database_pool_size=1))
    yield create_sessions(engine)
    await engine.dispose()


@pytest.fixture(scope="module")
def projects(locum: Locum, ids: dict[str, str], owner: httpx2.Client, stranger: httpx2.Client) -> tuple[str, str]:
    """The project that has a row in every table, and another, which has none."""
    owner.post("/v1/threads", headers={"Idempotency-Key": "rows"}).raise_for_status()
    with psycopg.connect(locum.database_url, autocommit=True) as database:
        owned, other = (_project_of(database, client) for client in (owner, stranger))
        database.execute(
            "INSERT INTO imported_places (id, project_id, seq, deleted_at) VALUES ('thread_gone', %s, -1, now())"
            " ON CONFLICT DO NOTHING",
            [owned],
        )
    return owned, other


def _project_of(database: psycopg.Connection, client: httpx2.Client) -> str:
    key = client.headers["authorization"].removeprefix("Bearer ")
    row = database.execute("SELECT project_id FROM api_keys WHERE sha256 = sha256(%s)", [key.encode()]).fetchone()
    assert row is not None
    return str(row[0])


async def _count(sessions: Sessions, table: Any) -> int:
    async with transaction(sessions) as session:
        return (await session.execute(select(func.count()).select_from(table))).scalar_one()


@pytest.mark.parametrize("name", TABLES)
async def test_a_query_without_a_filter_sees_and_touches_its_project_alone(
    sessions: Sessions, projects: tuple[str, str], name: str
) -> None:
    owned, other = projects
    table = _seen_table(name)
    assert await _count(sessions.of(owned), table) > 0
    assert await _count(sessions.of_all(), table) > 0
    for nobody in (sessions.of(other), sessions, sessions.of("")):
        before = await _count(sessions.of(owned), table)
        assert await _count(nobody, table) == 0 or nobody == sessions.of(other)
        async with autocommit(nobody) as session:
            foreign = select(func.count()).select_from(table).where(table.c.project_id == owned)
            assert (await session.execute(foreign)).scalar_one() == 0
        async with transaction(nobody) as session:
            changed = await session.execute(update(table).where(table.c.project_id == owned).values(project_id=other))
            deleted = await session.execute(delete(table).where(table.c.project_id == owned))
        assert (changed.rowcount, deleted.rowcount) == (0, 0)  # type: ignore[attr-defined]
        assert await _count(sessions.of(owned), table) == before


@pytest.mark.parametrize("name", TABLES)
async def test_rows_of_another_project_cannot_be_written(
    sessions: Sessions, projects: tuple[str, str], name: str
) -> None:
    owned, other = projects
    table = _seen_table(name)
    with pytest.raises(DBAPIError, match=r"row-level security|check option"):
        async with transaction(sessions.of(owned)) as session:
            await session.execute(update(table).values(project_id=other))


async def test_the_table_behind_the_view_is_closed(sessions: Sessions) -> None:
    for name in _BEHIND_VIEW:
        with pytest.raises(DBAPIError, match="permission denied"):
            await _count(sessions.of_all(), Base.metadata.tables[name])


def test_every_table_is_decided_upon(database: psycopg.Connection) -> None:
    """A table that is new has a policy, forced, or a view before it, or is named above as one without."""
    forced = {
        name
        for (name,) in database.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relrowsecurity"
            " AND relforcerowsecurity"
        )
    }
    assert forced == set(TABLES) - set(_BEHIND_VIEW)
    assert all("project_id" in Base.metadata.tables[name].columns for name in TABLES)


async def test_a_project_that_is_entered_late_or_within_a_savepoint_holds(
    sessions: Sessions, projects: tuple[str, str]
) -> None:
    thread = models.Thread.__table__
    counting = select(func.count()).select_from(thread)
    async with transaction(sessions) as session:
        assert (await session.execute(counting)).scalar_one() == 0
        nested = await session.begin_nested()
        await enter(session, projects[0])
        assert (await session.execute(counting)).scalar_one() > 0
        await nested.rollback()
        assert (await session.execute(counting)).scalar_one() > 0
    # One connection: nothing is left on it for whoever has it next.
    assert await _count(sessions, thread) == 0


async def test_arguments_that_cannot_be_sent_leave_a_pool_that_works(
    sessions: Sessions, projects: tuple[str, str]
) -> None:
    with pytest.raises(DBAPIError):
        async with autocommit(sessions.of(projects[0])) as session:
            await session.execute(text("SELECT CAST(:number AS integer)"), {"number": 2**40})
    async with autocommit(sessions.of(projects[0])) as session:
        assert (await session.execute(select(func.count()).select_from(models.Thread.__table__))).scalar_one() > 0


class _Wire:
    """Counts the round trips of one connection: how often the client speaks after the server has."""

    def __init__(self, target: str) -> None:
        self.trips = 0
        self._target = target

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_unix_connection(self._target)
        spoke = [False]

        async def up() -> None:
            while data := await reader.read(65536):
                self.trips += not spoke[0]
                spoke[0] = True
                requests.write(data)
            requests.close()

        async def down() -> None:
            while data := await answers.read(65536):
                spoke[0] = False
                writer.write(data)
            writer.close()

        await asyncio.gather(up(), down())


async def test_a_project_costs_no_round_trip(stack: Stack, projects: tuple[str, str], tmp_path: Any) -> None:
    found = re.search(r"host=([^&]+)", stack.database_url)
    assert found is not None
    folder = found[1].replace("%2F", "/")
    wire = _Wire(f"{folder}/.s.PGSQL.5432")
    server = await asyncio.start_unix_server(wire.carry, str(tmp_path / ".s.PGSQL.5432"))
    url = stack.database_url.replace(found[1], str(tmp_path).replace("/", "%2F"))
    engine = create_engine(Settings(database_url=url, database_pool_size=1))
    sessions = create_sessions(engine)

    async def trips(opened: Sessions, mode: Callable[[Sessions], Any]) -> int:
        before = wire.trips
        async with mode(opened) as session:
            for _ in range(3):
                await session.execute(select(models.Thread.id).limit(1))
        return wire.trips - before

    for mode in (autocommit, transaction):
        await trips(sessions, mode)
        without, with_it = await trips(sessions, mode), await trips(sessions.of(projects[0]), mode)
        assert without == with_it == (3 if mode is autocommit else 5)
    await engine.dispose()
    server.close()


async def test_the_api_answers_404_without_the_filters_of_its_queries(
    locum: Locum, ids: dict[str, str], stranger: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The application in this process, its one filter by project taken out of every service."""

    def unscoped(model: Any, _project: Any) -> Any:
        return select(model)

    for module in [found for name, found in sys.modules.items() if name.startswith("app.") and found is not None]:
        if getattr(module, "scoped", None) is pagination.scoped and module is not pagination:
            monkeypatch.setattr(module, "scoped", unscoped)
    application = create_app(settings_of(locum))
    thread, run = ids["thread_id"], ids["run_id"]
    paths = (
        f"/threads/{thread}", f"/threads/{thread}/messages/{ids['message_id']}", f"/threads/{thread}/runs/{run}",
        f"/assistants/{ids['assistant_id']}", f"/files/{ids['file_id']}", f"/vector_stores/{ids['vector_store_id']}",
    )  # fmt: skip
    async with application.router.lifespan_context(application):
        transport = httpx2.ASGITransport(app=application)
        async with httpx2.AsyncClient(transport=transport, base_url="http://locum", headers=stranger.headers) as client:
            for path in paths:
                assert (await client.get(f"/v1{path}")).status_code == 404, path
