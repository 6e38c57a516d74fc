"""What every worker process holds, shared by all that it does at once, and its life from start to end."""

import asyncio
import os
import socket
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, Self

import structlog
from celery import Celery
from redis.exceptions import RedisError

from app.backends.embeddings import Embedder
from app.backends.routing import Backends
from app.db.redis import create_redis
from app.db.session import create_engine, create_sessions
from app.errors import in_brief
from app.events import EventLog
from app.queue import Queue, announce_worker, note_lesson, retire_worker
from app.services.file_sweep import FileSweep
from app.services.project_removal import ProjectSweep
from app.services.prune_sweep import PruneSweep
from app.settings import Settings
from app.signals import Signals
from app.storage import create_storage
from app.supervision import Supervisor, Work
from app.sweeper import sweep_for_ever
from workers.leasing.leases import Leases

log = structlog.get_logger()

_ANNOUNCED_SECONDS: Final = 10.0
_ANNOUNCE_EVERY: Final = 3.0
_ANNOUNCING: Final = "announcement"
#: What telling that a process takes no more work may take; without it that is known when the announcement has lapsed.
_RETIRE_SECONDS: Final = 2.0


class Process:
    """The parts of this process. Made and closed on its event loop."""

    def __init__(self, settings: Settings, celery: Celery, queue_name: str) -> None:
        self.settings = settings
        self.supervisor = Supervisor()
        self.redis = create_redis(settings)
        self.event_log = EventLog(self.redis, settings, self.supervisor)
        self.queue = Queue(celery, self.redis)
        self.engine = create_engine(settings)
        self.sessions = create_sessions(self.engine, signals=Signals(self.redis, self.event_log, self.queue))
        self._notes: set[asyncio.Task[None]] = set()
        self.backends = Backends(settings, on_lesson=self._on_lesson)
        self.embedder = Embedder(settings, self.backends)
        self.storage = create_storage(settings)
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._queue_name = queue_name
        self._retired = False
        #: What confines the parsers of this process, where it has any.
        self.layers: Mapping[str, str] | None = None
        swept = self.sessions.of_all()
        files = FileSweep(swept, self.storage, self.redis)
        pruning = PruneSweep(swept, self.storage, self.redis, settings)
        removal = ProjectSweep(swept, self.storage)
        self.keep("sweep", partial(sweep_for_ever, swept, self.queue, files, pruning, removal, settings))

    @classmethod
    async def start(cls, settings: Settings, celery: Celery, queue_name: str) -> Self:
        """Opens everything and begins the work in the background, on the loop that this is awaited on."""
        return cls(settings, celery, queue_name)

    def keep(self, name: str, work: Work) -> None:
        """Begins work that goes on in the background until the process is closed."""
        self.supervisor.keep(name, work)

    def hold(self, leases: Leases[Any]) -> None:
        """Keeps `leases` renewed until the process is closed, and has them stopped when it is drained."""
        self._leases = leases
        self.keep("renewal of leases", leases.renew_for_ever)
        self.keep("stops", leases.listen_for_ever)

    async def drain(self) -> None:
        """Hands all work back to be gone on with by another worker, and takes no more."""
        await self.retire()
        await self._leases.stop()

    async def announce(self) -> None:
        """Says from now on, until the process retires, that it is there."""
        if not self._retired:
            self.keep(_ANNOUNCING, self._announce_for_ever)

    async def retire(self) -> None:
        """Says that this process takes no more work."""
        self._retired = True
        await self.supervisor.end(_ANNOUNCING)
        try:
            async with asyncio.timeout(_RETIRE_SECONDS):
                await retire_worker(self.redis, self._name, self._queue_name)
        except (RedisError, OSError) as error:
            log.warning("announcement_lost", error=in_brief(error))

    def _on_lesson(self, server: str, model: str, lesson: str) -> None:
        note = asyncio.create_task(self._note_lesson(server, model, lesson))
        self._notes.add(note)
        note.add_done_callback(self._notes.discard)

    async def _note_lesson(self, server: str, model: str, lesson: str) -> None:
        try:
            await note_lesson(self.redis, server, model, lesson)
        except (RedisError, OSError) as error:  # the log has it
            log.warning("lesson_not_kept", error=str(error))

    async def close(self) -> None:
        """Ends the work in the background and gives everything back."""
        await self.supervisor.close()
        await asyncio.gather(*self._notes, return_exceptions=True)
        await self.retire()
        await self.event_log.close()
        await self.storage.aclose()
        await self.backends.close()
        await self.engine.dispose()
        await self.redis.aclose()

    async def _announce_for_ever(self) -> None:
        while True:
            try:
                trouble = self.supervisor.trouble()
                whom = (self.redis, self._name, _ANNOUNCED_SECONDS, self._queue_name)
                await announce_worker(*whom, trouble, self.layers)
            except (RedisError, OSError) as error:
                log.warning("announcement_lost", error=in_brief(error))
            await asyncio.sleep(_ANNOUNCE_EVERY)
