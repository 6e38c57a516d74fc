"""The task behind the nudge for ingestion: ingest whichever files are next."""

from celery import Celery

from app.queue import INGEST_FILE
from workers.ingestion.dispatcher import Dispatcher
from workers.loop import LoopThread


def register(celery: Celery, loop: LoopThread, dispatcher: Dispatcher) -> None:
    """Makes the task known to `celery`, bound to this process's loop and dispatcher."""

    @celery.task(name=INGEST_FILE)
    def ingest_file() -> None:
        loop.run(dispatcher.take())
