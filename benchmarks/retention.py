"""What pruning costs in a large project: `python -m benchmarks.retention [--threads N] [--files N]`.

A project is filled with old threads of two messages each, and with old files that nothing refers to. The files are
counted, and deleted; then half of the threads are deleted by one SQL statement, the other half by pruning.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from psycopg import sql

from app.embedded.prune import prune
from app.settings import Settings
from tests.fakes.completion_backend import CompletionBackend
from tests.running import Locum, run_locum
from tests.stack import run_stack

THREADS = 100_000
FILES = 10_000
#: Of these columns the copies have values of their own.
_COPIED = {
    "seq": "nextval(pg_get_serial_sequence('{table}', 'seq'))",
    "created_at": "original.created_at - interval '90 days'",
}


def copy(database: psycopg.Connection, table: str, of: str, count: int, **values: str) -> None:
    """Adds `count` copies, 90 days older, of the row of `table` with the id `of`; `values` are expressions in `n`."""
    found = database.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_generated = 'NEVER'", [table]
    )
    own = {name: expression.format(table=table) for name, expression in _COPIED.items()} | values
    columns = [name for (name,) in found]
    statement = sql.SQL(
        "INSERT INTO {table} ({names}) SELECT {values}"
        " FROM {table} original, generate_series(1, {n}) n WHERE original.id = {id}"
    )
    database.execute(
        statement.format(
            table=sql.Identifier(table),
            names=sql.SQL(", ").join(map(sql.Identifier, columns)),
            values=sql.SQL(", ").join(
                sql.SQL(own[name]) if name in own else sql.Identifier("original", name) for name in columns
            ),
            n=sql.Literal(count),
            id=sql.Literal(of),
        )
    )


def fill(locum: Locum, database: psycopg.Connection, threads: int, files: int) -> None:
    """Makes what is to be deleted."""
    with locum.client() as client:
        thread = client.beta.threads.create()
        message = client.beta.threads.messages.create(thread.id, role="user", content="How is the weather?")
        file = client.files.create(file=("notes.txt", b"Sunny."), purpose="assistants")
    copy(database, "threads", thread.id, threads, id="'thread_' || n")
    for number in range(2):
        copy(database, "messages", message.id, threads, id=f"'msg_{number}_' || n", thread_id="'thread_' || n")
    copy(database, "files", file.id, files, id="'file-' || lpad(n::text, 24, '0')")
    database.execute("ANALYZE")


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    """Reads the command line, and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=THREADS)
    parser.add_argument("--files", type=int, default=FILES)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        run_stack(Path(folder, "stack")) as stack,
        CompletionBackend() as backend,
        run_locum(stack, backend.url, Path(folder)) as locum,
        psycopg.connect(stack.database_url, autocommit=True) as database,
    ):
        fill(locum, database, given.threads, given.files)
        half = given.threads // 2
        files = Settings(database_url=stack.database_url, data_dir=Path(folder, "data"), prune_files_days=30)
        threads = files.model_copy(update={"prune_files_days": None, "prune_threads_days": 30})
        counted = timed(lambda: asyncio.run(prune(files, None, dry_run=True)))
        print(f"{given.files:,} files without use counted beside {2 * given.threads:,} messages: {counted:.1f} s")
        deleted = timed(lambda: asyncio.run(prune(files, None, dry_run=False)))
        print(f"deleted: {deleted:.1f} s, {given.files / deleted:,.0f} a second")
        ids = [f"thread_{number + 1}" for number in range(half)]
        by_hand = timed(lambda: database.execute("DELETE FROM threads WHERE id = ANY(%s)", [ids]))
        print(f"{half:,} threads deleted by one statement: {by_hand:.1f} s")
        pruned = timed(lambda: asyncio.run(prune(threads, None, dry_run=False)))
        print(f"the other half by pruning: {pruned:.1f} s, {pruned / by_hand:.2f} times as long")


if __name__ == "__main__":
    main()
