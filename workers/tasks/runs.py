"""The task behind the nudge: execute whichever run is next."""

from celery import Celery

from app.queue import EXECUTE_RUN
from workers.engine.execute import execute_next
from workers.engine.process import WorkerProcess
from workers.loop import LoopThread


def register(celery: Celery, loop: LoopThread, process: WorkerProcess) -> None:
    """Makes the task known to `celery`, bound to this process's loop and parts."""

    @celery.task(name=EXECUTE_RUN)
    def execute() -> None:
        loop.run(execute_next(process))
