"""The kinds of workers: the queue that each listens to, and the command that it is."""

import sys
from typing import Final, Literal

from app.settings import Settings

WorkerKind = Literal["runs", "ingestion"]

RUNS_QUEUE: Final = "locum.runs"
INGESTION_QUEUE: Final = "locum.ingestion"
QUEUES: Final[dict[WorkerKind, str]] = {"runs": RUNS_QUEUE, "ingestion": INGESTION_QUEUE}


def worker_command(settings: Settings, kind: WorkerKind) -> list[str]:
    """The command that is a worker process; it knows its kind by the queue that it listens to."""
    # Celery's warning of root is about pickled tasks; ours are JSON.
    python = [sys.executable, "-W", "ignore:You're running the worker with superuser privileges"]
    celery = ["-m", "celery", "--quiet", "-A", "workers.main", "worker", "--queues", QUEUES[kind]]
    # A thread only hands a nudge over: see workers.leasing.dispatcher.
    size = ["--pool=threads", "--concurrency=2", "--loglevel", settings.log_level]
    # What workers tell each other: ours meet in the database.
    alone = ["--without-mingle", "--without-gossip", "--without-heartbeat"]
    return [*python, *celery, *size, *alone]
