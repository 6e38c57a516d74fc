"""Who is next: fair among projects, first come first served within one, and no more than a worker has room for."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import migrate
from app.db.session import Sessions, after_commit, autocommit, create_engine, create_sessions, transaction
from app.services import ingestion_claims, run_blame, run_claims, run_leases, run_sweep
from app.settings import Settings
from tests.stack import Stack

_DATABASE = "claims"
_QUEUE = """
    INSERT INTO runs (id, project_id, thread_id, assistant_id, created_at, queued_at, expires_at, status, attempt,
        model, tools, tool_resources, metadata, truncation_strategy, parallel_tool_calls)
    SELECT %(project)s || '-' || n, %(project)s, %(project)s || '-' || n, 'asst', now(),
        now() + n * interval '1ms' + %(after)s * interval '1s', now() + interval '1h', 'queued', 0,
        'any', '[]', '{}', '{}', '{"type": "auto"}', true
    FROM generate_series(1, %(count)s) AS n"""
_THREADS = """
    INSERT INTO threads (id, project_id, created_at, tool_resources, metadata)
    SELECT %(project)s || '-' || n, %(project)s, now(), '{}', '{}' FROM generate_series(1, %(count)s) AS n"""


@pytest.fixture
def database(stack: Stack) -> Iterator[psycopg.Connection]:
    """An empty database of the test's own."""
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {_DATABASE}")
        with psycopg.connect(stack.database_url.replace("/locum?", f"/{_DATABASE}?"), autocommit=True) as opened:
            yield opened
        connection.execute(f"DROP DATABASE {_DATABASE} WITH (FORCE)")


@pytest.fixture
async def sessions(stack: Stack, database: psycopg.Connection) -> AsyncIterator[Sessions]:
    settings = Settings(database_url=stack.database_url.replace("/locum?", f"/{_DATABASE}?"))
    await migrate.upgrade(settings)
    engine = create_engine(settings)
    yield create_sessions(engine).of_all()
    await engine.dispose()


def queue(database: psycopg.Connection, project: str, count: int, *, after: float = 0) -> None:
    """Queues runs `<project>-1`, `<project>-2`, ... in this order, `after` seconds from now."""
    values = {"project": project, "count": count, "after": after}
    database.execute("INSERT INTO projects (id, name, created_at) VALUES (%(project)s, 'test', now())", values)
    database.execute(_THREADS, values)
    database.execute(_QUEUE, values)


async def claim(sessions: Sessions, limit: int) -> list[str]:
    """The ids of the runs that are claimed, in the order of their queueing."""
    async with transaction(sessions) as session:
        return [claim.run.id for claim in await run_claims.claim(session, 3600, limit)]


async def test_a_thousand_queued_runs_of_one_project_do_not_starve_the_one_of_another(
    sessions: Sessions, database: psycopg.Connection
) -> None:
    queue(database, "busy", 1000)
    assert await claim(sessions, 8) == [f"busy-{n}" for n in range(1, 9)]
    queue(database, "late", 1, after=100)
    assert await claim(sessions, 1) == ["late-1"]
    assert await claim(sessions, 1) == ["busy-9"]


async def test_projects_take_turns_and_each_is_served_in_order(
    sessions: Sessions, database: psycopg.Connection
) -> None:
    queue(database, "a", 20)
    queue(database, "b", 3, after=1)
    queue(database, "c", 1, after=2)
    assert await claim(sessions, 7) == ["a-1", "a-2", "a-3", "b-1", "b-2", "b-3", "c-1"]
    assert await claim(sessions, 2) == ["a-4", "a-5"]


async def test_never_more_are_claimed_than_asked_for(sessions: Sessions, database: psycopg.Connection) -> None:
    queue(database, "a", 5)
    assert [len(await claim(sessions, limit)) for limit in (1, 3, 3)] == [1, 3, 1]


async def test_a_lease_is_looked_at_by_the_database_s_clock(sessions: Sessions, database: psycopg.Connection) -> None:
    queue(database, "a", 1)
    async with transaction(sessions) as session:
        ((claimed,),) = [await run_claims.claim(session, 3600, 1)]
    async with transaction(sessions) as session:
        assert await run_leases.is_held(session, claimed.run)
    database.execute("UPDATE runs SET lease_expires_at = clock_timestamp() - interval '1ms'")
    async with transaction(sessions) as session:
        assert not await run_leases.is_held(session, claimed.run)


async def test_the_sweep_sees_what_waits(sessions: Sessions, database: psycopg.Connection) -> None:
    async def waits() -> bool:
        async with transaction(sessions) as session:
            return await run_sweep.has_waiting(session, 2)

    assert not await waits()
    queue(database, "a", 1)
    assert not await waits()
    database.execute("UPDATE runs SET queued_at = now() - interval '3s'")
    assert await waits()
    await claim(sessions, 1)
    assert not await waits()
    database.execute("UPDATE runs SET lease_expires_at = now()")
    assert await waits()


async def test_what_is_to_follow_a_statement_without_a_transaction_follows_it(sessions: Sessions) -> None:
    told: list[str] = []

    async def tell() -> None:
        told.append("done")

    async with autocommit(sessions) as session:
        after_commit(session, tell)
        await session.execute(text("SELECT 1"))
        assert not told
    assert told == ["done"]


@pytest.mark.parametrize(("held", "times"), [(0, 4), (3, 8)])
async def test_a_run_that_takes_its_workers_with_it_is_to_blame_in_the_end(
    sessions: Sessions, database: psycopg.Connection, held: int, times: int
) -> None:
    """Soon if it was alone with them; later if it may have been another."""
    queue(database, "a", 1)
    blamed = []
    for _ in range(times + 1):
        async with transaction(sessions) as session:
            (taken,) = await run_claims.claim(session, 3600, 1, held)
        blamed.append(run_blame.is_too_much(taken.run, 0))
        database.execute("UPDATE runs SET lease_expires_at = now()")
    assert blamed == [False] * times + [True]


async def test_a_run_that_makes_progress_is_never_to_blame(sessions: Sessions, database: psycopg.Connection) -> None:
    queue(database, "a", 1)
    for progress in range(10):
        async with transaction(sessions) as session:
            (taken,) = await run_claims.claim(session, 3600, 1)
            await run_blame.note_progress(session, taken.run, progress, taken.blame)
        assert not run_blame.is_too_much(taken.run, progress)
        database.execute("UPDATE runs SET lease_expires_at = now()")


@pytest.mark.parametrize("taken_over", [True, False])
async def test_a_run_is_not_to_blame_for_a_worker_that_lives_or_gives_it_back(
    sessions: Sessions, database: psycopg.Connection, taken_over: bool
) -> None:
    queue(database, "a", 1)
    for _ in range(5):
        async with transaction(sessions) as session:
            (taken,) = await run_claims.claim(session, 3600, 1)
        assert not run_blame.is_too_much(taken.run, 0)
        if taken_over:
            database.execute("UPDATE runs SET lease_expires_at = now()")
            async with transaction(sessions) as session:
                await run_claims.claim(session, 3600, 1)
        async with transaction(sessions) as session:
            await run_blame.excuse(session, taken.run.id, taken.run.attempt)
        if taken_over:
            database.execute("UPDATE runs SET lease_expires_at = NULL")
    assert database.execute("SELECT blame FROM runs").fetchone() == (0,)


def queue_over(database: psycopg.Connection, runs: int, projects: int) -> None:
    """Queues `runs` runs of `projects` projects, in turn."""
    values = {"runs": runs, "projects": projects}
    database.execute(
        "INSERT INTO projects (id, name, created_at) SELECT md5(n::text), 'test', now()"
        " FROM generate_series(1, %(projects)s) AS n",
        values,
    )
    project = "md5((1 + n %% %(projects)s)::text)"
    database.execute(
        _THREADS.replace("%(project)s || '-' || n, %(project)s", f"'t' || n, {project}").replace(
            "%(count)s", "%(runs)s"
        ),
        values,
    )
    database.execute(
        _QUEUE.replace(
            "SELECT %(project)s || '-' || n, %(project)s, %(project)s || '-' || n",
            f"SELECT 'r' || n, {project}, 't' || n",
        )
        .replace("%(after)s", "0")
        .replace("%(count)s", "%(runs)s"),
        values,
    )


async def rows_read(
    sessions: Sessions, table: str, claim: Callable[[AsyncSession], Awaitable[Sequence[object]]]
) -> int:
    """How many rows and index entries of a table a claim reads, as Postgres counts them; it is undone."""
    counted = text(
        "SELECT sum(pg_stat_get_xact_tuples_returned(oid)) FROM (SELECT CAST(:table AS regclass)::oid AS oid"
        " UNION ALL SELECT indexrelid FROM pg_index WHERE indrelid = CAST(:table AS regclass)) AS its"
    )
    async with sessions() as session:
        before = (await session.execute(counted, {"table": table})).scalar_one()
        assert await claim(session)
        after = (await session.execute(counted, {"table": table})).scalar_one()
        await session.rollback()
    return int(after - before)


@pytest.mark.parametrize("projects", [1, 100, 20_000])
async def test_a_claim_reads_little_of_a_long_queue(
    sessions: Sessions, database: psycopg.Connection, projects: int
) -> None:
    queue_over(database, 20_000, projects)
    database.execute("ANALYZE")
    # From the sixth time on the plan may be one for all parameters.
    for _again in range(7):
        assert await rows_read(sessions, "runs", lambda session: run_claims.claim(session, 3600, 8)) < 1500


async def test_no_project_is_passed_over_where_there_are_very_many(
    sessions: Sessions, database: psycopg.Connection
) -> None:
    """A flood of one project hides the runs of those that came later from whoever looks at the oldest alone."""
    queue(database, "flood", 500)
    queue_over(database, 200, 200)
    database.execute("UPDATE runs SET queued_at = queued_at + interval '1h' WHERE project_id <> 'flood'")
    claimed: list[str] = []
    while len(claimed) < 700:
        claimed += await claim(sessions, 50)
    first = claimed[:260]
    assert sum(run.startswith("r") for run in first) >= 150, "of the others, each has one run"
    assert len(set(claimed)) == 700


_STORES = """
    INSERT INTO vector_stores (id, project_id, created_at, metadata, last_active_at)
    SELECT 'v' || n, 'p' || n, now(), '{}', now() FROM generate_series(1, %(projects)s) AS n"""
_FILES = """
    INSERT INTO files (id, project_id, created_at, filename, purpose, sha256, bytes, status)
    SELECT 'f' || n, 'p' || (1 + n %% %(projects)s), now(), 'a.txt', 'assistants', '', 1, 'processed'
    FROM generate_series(1, %(files)s) AS n"""
_WAITING = """
    INSERT INTO vector_store_files (id, project_id, vector_store_id, created_at, status, chunking_strategy, attributes,
        usage_bytes, attempt, ready_at)
    SELECT id, project_id, 'v' || substr(project_id, 2), now(), 'in_progress', '{}', '{}', 0, 0,
        now() - interval '1h' + seq * interval '1ms'
    FROM files"""
_PROJECTS = """
    INSERT INTO projects (id, name, created_at) SELECT 'p' || n, 'test', now()
    FROM generate_series(1, %(projects)s) AS n"""


@pytest.mark.parametrize("projects", [1, 100, 5_000])
async def test_a_claim_reads_little_of_many_files_that_wait(
    sessions: Sessions, database: psycopg.Connection, projects: int
) -> None:
    """Of 5,000 at most what it reads of 10, and a step for each project that it looks at."""
    read = {}
    for files in (10, 5_000):
        database.execute("TRUNCATE projects CASCADE")
        for statement in (_PROJECTS, _STORES, _FILES):
            database.execute(statement, {"files": files, "projects": min(projects, files)})
        database.execute(_WAITING)
        database.execute("ANALYZE")
        read[files] = 0
        # From the sixth time on the plan may be one for all parameters.
        for _again in range(7):
            rows = await rows_read(
                sessions, "vector_store_files", lambda session: ingestion_claims.claim(session, 3600, 1)
            )
            read[files] = max(read[files], rows)
    assert read[5_000] < 600, read
