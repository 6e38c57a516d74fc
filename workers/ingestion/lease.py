"""The hold of this process on one attempt at a file."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.db.session import Sessions, transaction
from app.errors import in_brief
from app.services import ingestion_claims
from app.services.ingestion_claims import Claim

log = structlog.get_logger()

_RENEWALS_PER_LEASE: Final = 5


class Stopping(Exception):
    """This process is to end."""


class Lease:
    """Kept renewed while the work on the file lasts."""

    def __init__(self, sessions: Sessions, claim: Claim, seconds: float) -> None:
        self.claim = claim
        self._sessions = sessions
        self._seconds = seconds
        self._stopping = False
        self._called = asyncio.Event()

    def look(self) -> None:
        """Has the row looked at now: something may have become of the file."""
        self._called.set()

    def stop(self) -> None:
        """Interrupts the work, now or when it begins."""
        self._stopping = True
        self._called.set()

    async def hold(self, work: Coroutine[Any, Any, None]) -> None:
        """Does `work`, and raises what it raises. Interrupts it and raises FileLost if the file is no longer this
        process's, Stopping after `stop`."""
        working = asyncio.create_task(work)
        watching = asyncio.create_task(self._watch())
        try:
            await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
        finally:
            done = working if working.done() else watching
            working.cancel()
            watching.cancel()
            await asyncio.gather(working, watching, return_exceptions=True)
        await done

    async def _watch(self) -> None:
        while not self._stopping:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._seconds / _RENEWALS_PER_LEASE):
                    await self._called.wait()
            self._called.clear()
            try:
                async with transaction(self._sessions) as session:
                    await ingestion_claims.renew(session, self.claim, self._seconds)
            except (SQLAlchemyError, OSError) as error:
                log.warning("renewal_failed", error=in_brief(error))
        raise Stopping
