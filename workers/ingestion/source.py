"""Files of vector stores, as ingestion workers claim them."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app.services import ingestion_claims
from app.services.ingestion_claims import Claim
from app.signals import Signals
from workers.ingestion.pipeline import ingest
from workers.ingestion.process import IngestionProcess
from workers.leasing.dispatcher import Dispatcher


class FileSource:
    """Where files come from, and how one is ingested."""

    def __init__(self, process: IngestionProcess) -> None:
        self._process = process

    async def claim(self, session: AsyncSession, limit: int) -> Sequence[Claim]:
        """Takes the next files, fair over projects."""
        return await ingestion_claims.claim(session, self._process.leases.seconds, limit)

    def name(self, claim: Claim) -> str:
        """Returns the ids of the vector store and the file."""
        return f"{claim.vector_store_id}/{claim.file_id}"

    async def work(self, claim: Claim) -> None:
        """Ingests the file."""
        await ingest(self._process, claim)

    async def nudge(self, signals: Signals) -> None:
        """Tells the ingestion workers that more files are waiting."""
        await signals.nudge_ingestion()


def dispatcher(process: IngestionProcess) -> Dispatcher[Claim]:
    """Returns what ingests files in `process`."""
    return Dispatcher(
        process.sessions.of_all(), process.leases, FileSource(process), process.settings.ingestion_concurrency
    )
