"""Where Celery begins: `celery -A workers.main worker --pool=threads`.

All that is used of Celery on this side: it starts the process, has a thread wait for nudges, and ends the process when
told to. A nudge carries nothing; what to work on stands in the database (docs/decisions/0001, 0002).
"""

import threading
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_init, worker_ready, worker_shutdown, worker_shutting_down

from app import collector
from app.confinement import rights
from app.queue import EXECUTE_RUN, INGEST_FILE, create_celery
from app.settings import Settings
from app.telemetry import configure_logging
from app.worker_kinds import INGESTION_QUEUE
from workers.engine import source as runs
from workers.engine.process import WorkerProcess
from workers.ingestion import source as files
from workers.ingestion.process import IngestionProcess
from workers.leasing.dispatcher import Dispatcher
from workers.loop import LoopThread
from workers.process import Process

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
    process, dispatcher, task = loop.run(_begin(queue))
    _listen(loop, task, dispatcher)
    collector.settle()

    # Not before: whoever hears of the process may ask it to end, and until now a SIGTERM would just kill it.
    @worker_ready.connect(weak=False)
    def _announce(**_: Any) -> None:
        loop.run(process.announce())

    draining: list[threading.Thread] = []

    @worker_shutting_down.connect(weak=False)
    def _drain(**_: Any) -> None:
        # In a thread: this handler runs inside the signal handler, and it waits for the work to end.
        thread = threading.Thread(target=loop.run, args=(_finish(process, dispatcher),), name="drain")
        draining.append(thread)
        thread.start()

    @worker_shutdown.connect(weak=False)
    def _close(**_: Any) -> None:
        loop.run(_finish(process, dispatcher))
        # On a loop that is closed they would wait for ever, and the process for them.
        for thread in draining:
            thread.join()
        loop.run(process.close())
        loop.close()


async def _begin(queue: str) -> tuple[Process, Dispatcher[Any], str]:
    """Opens the parts of a worker of `queue`; returns them with the task that is its nudge."""
    process: WorkerProcess | IngestionProcess
    dispatcher: Dispatcher[Any]
    if queue == INGESTION_QUEUE:
        process, task = await IngestionProcess.start(settings, celery, queue), INGEST_FILE
        await process.say_what_confines()
        dispatcher = files.dispatcher(process)
    else:
        process, task = await WorkerProcess.start(settings, celery, queue), EXECUTE_RUN
        dispatcher = runs.dispatcher(process)
    process.keep("look for work", dispatcher.look_for_ever)
    return process, dispatcher, task


def _listen(loop: LoopThread, task: str, dispatcher: Dispatcher[Any]) -> None:
    """Makes the nudge `task` known to Celery."""

    @celery.task(name=task)
    def take() -> None:
        loop.run(dispatcher.take())


async def _finish(process: Process, dispatcher: Dispatcher[Any]) -> None:
    """Hands all work back, and takes no more."""
    await process.drain()
    await dispatcher.join()
