"""When keys were last used: noted in memory with each request, written now and then, for all keys in one statement.

So no request waits for it. A key's row is written at most once a minute, whatever it is used for; what is shown is true
to the minute. What a process that is killed has not written is lost: a minute at most.
"""

import asyncio
import time
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import TIMESTAMP, BindParameter, bindparam, func, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import SQLAlchemyError

from app.db.base import IdText, now
from app.db.session import Sessions, autocommit
from app.errors import in_brief
from app.models import ApiKey

log = structlog.get_logger()

#: How often what has been noted is written.
_WRITE_SECONDS: Final = 2.0
#: Of one key.
_ONCE_IN_SECONDS: Final = 60.0


def _list_of(name: str, item: object) -> BindParameter[object]:
    return bindparam(name, type_=ARRAY(item))  # type: ignore[arg-type]


_USED: Final = select(
    func.unnest(_list_of("ids", IdText)).label("id"),
    func.unnest(_list_of("times", TIMESTAMP(timezone=True))).label("at"),
).subquery("used")
#: Where several processes have the same key, the first of them in a minute writes it.
_WRITE: Final = (
    update(ApiKey)
    .where(
        ApiKey.id == _USED.c.id,
        or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= _USED.c.at - timedelta(seconds=_ONCE_IN_SECONDS)),
    )
    .values(last_used_at=_USED.c.at)
    .execution_options(synchronize_session=False)
)


class KeyUses:
    """Of one process."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._noted: dict[str, datetime] = {}
        self._written: dict[str, float] = {}

    def note(self, key_id: str) -> None:
        """Notes that a key is being used."""
        self._noted[key_id] = now()

    async def write_for_ever(self) -> None:
        """Writes what is noted, every other second; while the database is away it is kept."""
        while True:
            await asyncio.sleep(_WRITE_SECONDS)
            try:
                await self.write()
            except (SQLAlchemyError, OSError) as error:
                log.warning("key_uses_not_written", error=in_brief(error))

    async def write(self, *, everything: bool = False) -> None:
        """Writes the uses of those keys that were not written for a minute; `everything` those of all."""
        clock = time.monotonic()
        self._written = {key: at for key, at in self._written.items() if clock - at < _ONCE_IN_SECONDS}
        due = {key: at for key, at in self._noted.items() if everything or key not in self._written}
        if not due:
            return
        async with autocommit(self._sessions) as session:
            await session.execute(_WRITE, {"ids": list(due), "times": list(due.values())})
        self._written.update(dict.fromkeys(due, clock))
        for key, at in due.items():
            if self._noted.get(key) == at:
                del self._noted[key]
