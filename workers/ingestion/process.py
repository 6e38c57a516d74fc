"""The process that ingests files: what its files share besides the parts of any worker process."""

from dataclasses import asdict

import structlog
from celery import Celery

from app.confinement.doors import Layers
from app.settings import Settings
from workers.ingestion.leases import FileLeaseStore
from workers.ingestion.parsing import Parser, ParserLost
from workers.leasing.leases import Leases
from workers.process import Process

log = structlog.get_logger()


class IngestionProcess(Process):
    """The parts of this process. Made and closed on its event loop."""

    def __init__(self, settings: Settings, celery: Celery, queue_name: str) -> None:
        super().__init__(settings, celery, queue_name)
        self.leases = Leases(self.sessions.of_all(), self.redis, FileLeaseStore(), settings.ingestion_lease_seconds)
        self.hold(self.leases)
        self.parser = Parser(settings)

    async def say_what_confines(self) -> None:
        """Has the parser ready, and tells the log, and from now on whoever asks, what confines its processes here."""
        try:
            layers = await self.parser.start()
        except ParserLost as lost:
            # It is tried again with the first file.
            log.error("parser_not_started", error=str(lost))  # noqa: TRY400 - it says all that is known
            return
        self.layers = asdict(layers)
        tell(layers)

    async def close(self) -> None:
        """Ends the work in the background and gives everything back."""
        await super().close()
        self.parser.close()


def tell(layers: Layers) -> None:
    """Tells in the log which layers confine the parsers, the louder the fewer there are."""
    if layers.are_none:
        log.critical("parser_not_confined", **asdict(layers))
    elif layers.lacking:
        log.warning("parser_confined_in_part", **asdict(layers))
    else:
        log.info("parser_confined", **asdict(layers))
