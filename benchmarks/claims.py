"""What a claim costs with few and with many queued runs: `python -m benchmarks.claims`. A database of its own.

For 10, 5,000 and 50,000 queued runs, of one project, of 100 and of as many as there are runs: the median of claims of
one run each, and the rows that one reads of the table of runs.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import psycopg

from app.db import migrate
from app.db.session import autocommit, create_engine, create_sessions
from app.services import run_claims
from app.settings import Settings
from tests.engine.test_claims import queue_over, rows_read
from tests.stack import run_stack

_CLAIMS = 40


def main() -> None:
    """Fills a database three times over, and prints a row for each."""
    print("| queued runs | projects | a claim, p50 | p95 | rows read |\n| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory(prefix="locum-claims-") as folder, run_stack(Path(folder)) as stack:
        settings = Settings(database_url=stack.database_url)
        asyncio.run(migrate.upgrade(settings))
        with psycopg.connect(stack.database_url, autocommit=True) as database:
            for runs in (10, 5_000, 50_000):
                for projects in sorted({1, min(100, runs), runs}):
                    database.execute("TRUNCATE projects CASCADE")
                    queue_over(database, runs, projects)
                    database.execute("ANALYZE")
                    took, rows = asyncio.run(_measure(settings))
                    p50, p95 = statistics.median(took), sorted(took)[int(len(took) * 0.95)]
                    times = f"{1000 * p50:.1f} ms | {1000 * p95:.1f} ms"
                    print(f"| {runs:,} | {projects:,} | {times} | {rows:,} |", flush=True)


async def _measure(settings: Settings) -> tuple[list[float], int]:
    engine = create_engine(settings)
    sessions = create_sessions(engine).of_all()
    try:
        rows = await rows_read(sessions, "runs", lambda session: run_claims.claim(session, 3600, 1))
        took = []
        for _ in range(_CLAIMS):
            begun = time.perf_counter()
            async with autocommit(sessions) as session:
                await run_claims.claim(session, 3600, 1)
            took.append(time.perf_counter() - begun)
        return took, rows
    finally:
        await engine.dispose()


if __name__ == "__main__":
    main()
