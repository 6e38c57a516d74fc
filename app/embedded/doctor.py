"""`locum doctor`: looks at every part that Locum needs, and says what is wrong."""

import asyncio
import os
import platform
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app import sandbox_host
from app.backends.base import BackendFailure
from app.backends.embeddings import Embedder
from app.backends.routing import Backends
from app.db import migrate, roles
from app.db.redis import create_redis
from app.db.session import create_engine, create_sessions
from app.embedded.errors import reason
from app.queue import lessons, live_workers
from app.settings import DEFAULT_BACKEND, MissingSetting, Settings
from app.telemetry import without_secrets
from app.worker_kinds import INGESTION_QUEUE, RUNS_QUEUE

_SECONDS = 5.0
#: To read a file of every kind, each in a process of its own.
_READING_SECONDS = 120.0
_LOW_DISK_BYTES = 2**30
_OLDEST_PGVECTOR = (0, 7)


class Wrong(Exception):
    """What is wrong with a part, in one line."""


@dataclass(frozen=True)
class Finding:
    """One part, whether it works, and its version or what is wrong with it."""

    part: str
    ok: bool
    detail: str

    def __str__(self) -> str:
        return f"{'ok   ' if self.ok else 'WRONG'}  {self.part:<12} {self.detail}"


Check = Callable[[Settings], Awaitable[str]]


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Looks at one part after another; none takes more than seconds, but for the reading of files."""
    for part, check in _CHECKS.items():
        yield await _find(part, check(settings))
    yield await _find("files", _reading(), _READING_SECONDS)
    for name in sorted({*settings.backends, DEFAULT_BACKEND} if settings.backend_url else settings.backends or [""]):
        yield await _find("backend", _backend(settings, name))


async def _find(part: str, check: Awaitable[str], seconds: float = _SECONDS) -> Finding:
    try:
        async with asyncio.timeout(seconds):
            return Finding(part, ok=True, detail=await check)
    except TimeoutError:
        problem = f"no answer within {seconds:g} seconds"
    except (Wrong, MissingSetting, BackendFailure, SQLAlchemyError, RedisError, OSError) as error:
        problem = reason(error)
    return Finding(part, ok=False, detail=without_secrets(problem))


async def _python(_: Settings) -> str:
    return f"{platform.python_version()} on {platform.system()} {platform.machine()}"


async def _data_folder(settings: Settings) -> str:
    folder = settings.data_dir.expanduser().absolute()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        raise Wrong(f"{there} is closed to this user")
    free = shutil.disk_usage(there).free
    if free < _LOW_DISK_BYTES:
        raise Wrong(f"{folder}: {free // 2**20} MiB left on the disk")
    return f"{folder}, {free // 2**30} GiB left on the disk"


@asynccontextmanager
async def _session(settings: Settings) -> AsyncIterator[AsyncSession]:
    engine = create_engine(settings)
    try:
        async with create_sessions(engine)() as session:
            yield session
    finally:
        await engine.dispose()


async def _database(settings: Settings) -> str:
    async with _session(settings) as session:
        return f"Postgres {await session.scalar(text('SHOW server_version'))}"


async def _pgvector(settings: Settings) -> str:
    query = text("SELECT default_version FROM pg_available_extensions WHERE name = 'vector'")
    async with _session(settings) as session:
        version = await session.scalar(query)
    if version is None:
        raise Wrong("this Postgres has no extension pgvector")
    if tuple(map(int, version.split(".")[:2])) < _OLDEST_PGVECTOR:
        raise Wrong(f"pgvector {version} is too old: {'.'.join(map(str, _OLDEST_PGVECTOR))} or newer is wanted")
    return str(version)


async def _migrations(settings: Settings) -> str:
    async with _session(settings) as session:
        if problem := await migrate.pending(session):
            raise Wrong(problem)
    return f"at {migrate.head()}, the newest"


@asynccontextmanager
async def _connection(settings: Settings) -> AsyncIterator[Redis]:
    async with create_redis(settings) as redis:
        yield redis


async def _row_security(settings: Settings) -> str:
    async with _session(settings) as session:
        in_force, current, login = (await session.execute(text(roles.IN_FORCE))).one()
    if problem := roles.complaint(in_force, current, login):
        raise Wrong(problem)
    return "not migrated to" if in_force is None else f"holds for the role {current}"


async def _redis(settings: Settings) -> str:
    async with _connection(settings) as redis:
        server = await redis.info("server")
        memory = await redis.info("memory")
    if memory.get("maxmemory_policy", "noeviction") != "noeviction":
        raise Wrong(f"maxmemory-policy is {memory['maxmemory_policy']}: a queue needs noeviction")
    name = server.get("server_name", "redis").capitalize()
    return f"{name} {server.get('valkey_version') or server['redis_version']}"


async def _workers(settings: Settings) -> str:
    return await _live_workers(settings, RUNS_QUEUE, "locum worker")


async def _ingestion(settings: Settings) -> str:
    return await _live_workers(settings, INGESTION_QUEUE, "locum worker --queue ingestion")


async def _live_workers(settings: Settings, queue: str, command: str) -> str:
    async with _connection(settings) as redis:
        names = await live_workers(redis, queue)
    if not names:
        raise Wrong(f"none runs: start one with `{command}`")
    return ", ".join(sorted(names))


async def _reading() -> str:
    """Has a small file of every kind read as ingestion does it, on this machine and with this process's rights."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "workers.ingestion.control"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        lines = said.decode(errors="replace").splitlines() or complaint.decode(errors="replace").splitlines()[-1:]
        raise Wrong("cannot be read here: " + "; ".join(lines))
    return f"every kind can be read; what confines those who read: {said.decode().strip()}"


async def _embeddings(settings: Settings) -> str:
    settings = settings.model_copy(update={"backend_retries": 0})
    backends = Backends(settings)
    try:
        (vector,) = await Embedder(settings, backends).embed(["locum"])
    finally:
        await backends.close()
    return f"{settings.embeddings_model}, {len(vector)} dimensions"


async def _sandbox(settings: Settings) -> str:
    if settings.sandbox_url is None:
        return "none: LOCUM_SANDBOX_URL is not set, and code_interpreter is refused"
    told = await sandbox_host.ask(settings)
    if told.problem:
        raise Wrong(told.problem)
    lines = "; ".join(f"{what}: {by}" for what, by in told.held.items())
    lacks = "".join(f" LACKS {what.upper()}: {why}." for what, why in told.lacks.items())
    return f"{settings.sandbox_url}; what holds code: {lines}.{lacks}"


async def _backend(settings: Settings, name: str) -> str:
    if not name:
        raise MissingSetting("LOCUM_BACKEND_URL")
    backends = Backends(settings)
    try:
        if problem := await backends.probe(name):
            raise Wrong(problem)
    finally:
        await backends.close()
    url = settings.backends[name].url if name in settings.backends else str(settings.backend_url)
    return "; ".join([url, *await _lessons(settings, name)])


async def _lessons(settings: Settings, name: str) -> list[str]:
    """What workers have lately learnt of its models; Redis has a finding of its own."""
    try:
        async with _connection(settings) as redis:
            return await lessons(redis, name)
    except (RedisError, MissingSetting, OSError):
        return []


_CHECKS: dict[str, Check] = {
    "python": _python,
    "data folder": _data_folder,
    "database": _database,
    "pgvector": _pgvector,
    "migrations": _migrations,
    "row security": _row_security,
    "redis": _redis,
    "worker": _workers,
    "ingestion": _ingestion,
    "embeddings": _embeddings,
    "sandbox": _sandbox,
}
