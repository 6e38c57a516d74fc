"""The task behind the nudge: execute whichever runs are next."""

from celery import Celery

from app.queue import EXECUTE_RUN
from workers.engine.dispatcher import Dispatcher
from workers.loop import LoopThread


def register(celery: Celery, loop: LoopThread, dispatcher: Dispatcher) -> None:
    """Makes the task known to `celery`, bound to this process's loop and dispatcher."""

    @celery.task(name=EXECUTE_RUN)
    def execute() -> None:
        loop.run(dispatcher.take())
