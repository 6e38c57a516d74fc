"""The process that executes runs: what all its runs share besides the parts of any worker process."""

from typing import Final

from celery import Celery

from app.settings import Settings
from workers.engine.event_writer import EventWriter
from workers.engine.images import ImageUrls
from workers.engine.leases import RunLeases
from workers.process import Process
from workers.sandbox import SandboxClient

#: What writing the last events may take when the process ends; streams have what is lost with them from the rows.
_FLUSH_SECONDS: Final = 3.0


class WorkerProcess(Process):
    """The parts of this process. Made and closed on its event loop."""

    def __init__(self, settings: Settings, celery: Celery, queue_name: str) -> None:
        super().__init__(settings, celery, queue_name)
        self.leases = RunLeases(self.sessions.of_all(), self.redis, settings.run_lease_seconds)
        self.hold(self.leases)
        self.events = EventWriter(self.event_log, lambda: self.leases.count)
        self.sandbox = _sandbox(settings)
        self.images = ImageUrls()
        self.keep("event writer", self.events.write_for_ever)

    async def close(self) -> None:
        """Ends the work in the background and gives everything back."""
        await self.events.flush(_FLUSH_SECONDS)
        await super().close()
        if self.sandbox is not None:
            await self.sandbox.close()


def _sandbox(settings: Settings) -> SandboxClient | None:
    """The sandbox host, where there is one."""
    if settings.sandbox_url is None:
        return None
    return SandboxClient(settings.sandbox_url, settings.required_sandbox_token)
