"""Where Celery begins: `celery -A workers.main worker --pool=threads`."""

import threading
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_init, worker_ready, worker_shutdown, worker_shutting_down

from app import collector
from app.confinement import rights
from app.queue import create_celery
from app.settings import Settings
from app.telemetry import configure_logging
from app.worker_kinds import INGESTION_QUEUE
from workers.engine.dispatcher import Dispatcher as RunDispatcher
from workers.engine.process import WorkerProcess
from workers.ingestion.dispatcher import Dispatcher as IngestionDispatcher
from workers.ingestion.process import IngestionProcess
from workers.loop import LoopThread
from workers.process import Process
from workers.tasks import ingestion, runs

rights.hide()
settings = Settings()
celery: Celery = create_celery(settings)


@setup_logging.connect(weak=False)
def _set_up_logging(**_: Any) -> None:
    """Ours instead of Celery's."""
    configure_logging(settings)


@worker_init.connect(weak=False)
def _start(**_: Any) -> None:
    """Opens this process's parts before it takes its first nudge, and closes them when it is shut down."""
    loop = LoopThread()
    (queue,) = celery.amqp.queues.consume_from
    process, dispatcher = (_for_ingestion if queue == INGESTION_QUEUE else _for_runs)(loop, queue)
    collector.settle()

    # Not before: whoever hears of the process may ask it to end, and until now a SIGTERM would just kill it.
    @worker_ready.connect(weak=False)
    def _announce(**_: Any) -> None:
        loop.run(process.announce())

    draining: list[threading.Thread] = []

    @worker_shutting_down.connect(weak=False)
    def _drain(**_: Any) -> None:
        # In a thread: this handler runs inside the signal handler, and it waits for the work to end.
        thread = threading.Thread(target=loop.run, args=(dispatcher.finish(),), name="drain")
        draining.append(thread)
        thread.start()

    @worker_shutdown.connect(weak=False)
    def _close(**_: Any) -> None:
        loop.run(dispatcher.finish())
        # On a loop that is closed they would wait for ever, and the process for them.
        for thread in draining:
            thread.join()
        loop.run(process.close())
        loop.close()


def _for_runs(loop: LoopThread, queue: str) -> tuple[Process, RunDispatcher]:
    process = loop.run(WorkerProcess.start(settings, celery, queue))
    dispatcher = RunDispatcher(process)
    loop.run(dispatcher.listen())
    runs.register(celery, loop, dispatcher)
    return process, dispatcher


def _for_ingestion(loop: LoopThread, queue: str) -> tuple[Process, IngestionDispatcher]:
    process = loop.run(IngestionProcess.start(settings, celery, queue))
    loop.run(process.say_what_confines())
    dispatcher = IngestionDispatcher(process)
    loop.run(dispatcher.listen())
    ingestion.register(celery, loop, dispatcher)
    return process, dispatcher
