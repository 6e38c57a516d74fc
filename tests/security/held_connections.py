"""Which connections to the database a request holds."""

from contextvars import ContextVar
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry

#: Whether this is done for a request, in its task or in one that it has made: what runs beside them is not looked at.
IS_OF_REQUEST: Final = ContextVar("is_of_request", default=False)


class HeldConnections:
    """Those that requests hold, of the engine that is looked at."""

    def __init__(self) -> None:
        self._held: set[ConnectionPoolEntry] = set()
        #: How often one was taken.
        self.taken = 0

    def __len__(self) -> int:
        return len(self._held)

    def look_at(self, engine: AsyncEngine) -> None:
        """Notes which connections requests hold from now on."""

        @event.listens_for(engine.sync_engine, "checkout")
        def taken(_connection: Any, record: ConnectionPoolEntry, _: Any) -> None:
            if IS_OF_REQUEST.get():
                self._held.add(record)
                self.taken += 1

        @event.listens_for(engine.sync_engine, "checkin")
        def given_back(_connection: Any, record: ConnectionPoolEntry) -> None:
            self._held.discard(record)
