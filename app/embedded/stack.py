"""The servers below Locum, Postgres and Redis, as children of this process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from app.embedded.folder import DataFolder
from app.embedded.logs import Say
from app.embedded.part import Part, Program
from app.embedded.postgres import Postgres
from app.embedded.valkey import Valkey


@dataclass(frozen=True)
class StackUrls:
    """Where the servers are, as the settings want it."""

    database_url: str
    redis_url: str


class Supervisor:
    """Parts started one after another, kept going, and ended in the opposite order."""

    def __init__(self, logs: Path, say: Say) -> None:
        self._logs = logs
        self._say = say
        self.parts: list[Part] = []

    async def start(self, program: Program) -> None:
        """Starts a part, returns when it is ready, and keeps it going. Raises `CannotStart`."""
        part = Part(program, self._logs, self._say)
        self.parts.append(part)
        await part.start()
        part.keep()

    async def stop(self) -> None:
        """Ends all parts, the last first."""
        while self.parts:
            await self.parts[-1].stop()
            self.parts.pop()

    def kill(self) -> None:
        """Ends all parts at once; `stop` then returns soon."""
        for part in self.parts:
            part.kill()


class EmbeddedStack:
    """Postgres and Valkey in `data_dir`, without the rest of Locum."""

    def __init__(self, data_dir: Path, say: Say = lambda _: None) -> None:
        self._folder = DataFolder(data_dir)
        self._say = say

    @asynccontextmanager
    async def running(self) -> AsyncIterator[StackUrls]:
        """Runs both for the block. Raises `CannotStart`."""
        with self._folder.locked():
            postgres, valkey = Postgres(self._folder), Valkey(self._folder)
            supervisor = Supervisor(self._folder.logs, self._say)
            try:
                await supervisor.start(postgres.program())
                await supervisor.start(valkey.program())
                yield StackUrls(postgres.url, valkey.url)
            finally:
                await asyncio.shield(supervisor.stop())
