"""The leases on files of vector stores."""

from collections.abc import AsyncIterator, Mapping

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncSession

from app.services import ingestion_claims
from app.services.ingestion_claims import Claim, Place
from app.signals import ingestion_stops
from workers.leasing.leases import Interruption, Lease

FileLease = Lease[Place]


def lease_on(claim: Claim) -> FileLease:
    """Returns the lease of a claimed file."""
    return Lease(claim.place, claim.attempt)


class FileLeaseStore:
    """The rows of files in vector stores."""

    async def renew(
        self, session: AsyncSession, held: Mapping[Place, int], seconds: float
    ) -> Mapping[Place, Interruption | None]:
        """Renews the leases on files: see LeaseStore. A file that was cancelled or detached is lost."""
        return dict.fromkeys(await ingestion_claims.renew(session, held, seconds))

    def stops(self, redis: Redis) -> AsyncIterator[str]:
        """Yields the ids of vector stores from which files were taken, or whose ingestion was cancelled."""
        return ingestion_stops(redis)

    def is_meant(self, key: Place, stop: str) -> bool:
        """Returns whether the file is in the vector store that is named."""
        return key.vector_store_id == stop
