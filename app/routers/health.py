"""`/healthz` (this process lives) and `/readyz` (each part that a run needs, named). Neither asks for a key."""

import asyncio
from collections.abc import Awaitable
from typing import Final, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app import sandbox_host
from app.backends.routing import Backends
from app.db import migrate
from app.db.session import Sessions, transaction
from app.deps import BackendsDep, RedisDep, SessionsDep, SettingsDep, SupervisorDep
from app.queue import live_workers, troubles_of
from app.settings import MissingSetting
from app.supervision import Supervisor
from app.worker_kinds import INGESTION_QUEUE, RUNS_QUEUE

router = APIRouter(tags=["Health"])

#: What one check may take.
_SECONDS: Final = 2.0


class Check(BaseModel):
    """Whether a part works, and if not, what is the matter."""

    ok: bool
    detail: str | None


class Readiness(BaseModel):
    status: Literal["ready", "unready"]
    checks: dict[str, Check]


class Health(BaseModel):
    status: Literal["ok"] = "ok"


class Checks:
    """One check a part: each gives what is the matter, or None."""

    def __init__(self, sessions: Sessions, redis: Redis, backends: Backends, supervisor: Supervisor) -> None:
        self._sessions = sessions
        self._redis = redis
        self._backends = backends
        self._supervisor = supervisor

    async def database(self) -> str | None:
        async with transaction(self._sessions) as session:
            return await migrate.pending(session)

    async def redis(self) -> str | None:
        await self._redis.execute_command("PING")
        return None

    async def background(self) -> str | None:
        return self._supervisor.trouble()

    async def worker(self) -> str | None:
        return await self._workers(RUNS_QUEUE, "no worker is running")

    async def ingestion(self) -> str | None:
        return await self._workers(INGESTION_QUEUE, "no ingestion worker is running")

    async def _workers(self, queue: str, none: str) -> str | None:
        names = await live_workers(self._redis, queue)
        troubles = await troubles_of(self._redis, names, queue)
        told = [f"{name}: {trouble}" for name, trouble in troubles.items()]
        return ("; ".join(told) or None) if names else none

    async def backend(self) -> str | None:
        return await self._backends.probe()

    async def embeddings(self) -> str | None:
        return await self._backends.probe_embeddings()


@router.get("/healthz")
async def healthz() -> Health:
    return Health()


@router.get("/readyz", responses={503: {"model": Readiness}})
async def readyz(
    sessions: SessionsDep,
    redis: RedisDep,
    backends: BackendsDep,
    supervisor: SupervisorDep,
    settings: SettingsDep,
    response: Response,
) -> Readiness:
    """Asks all parts, side by side; 503 if one of them is not there."""
    checks = Checks(sessions, redis, backends, supervisor)
    parts = {
        "database": checks.database(),
        "redis": checks.redis(),
        "background": checks.background(),
        "worker": checks.worker(),
        "ingestion": checks.ingestion(),
        "backend": checks.backend(),
        "embeddings": checks.embeddings(),
    }
    if settings.sandbox_url is not None:
        parts["sandbox"] = sandbox_host.probe(settings)
    found = dict(zip(parts, await asyncio.gather(*map(_check, parts.values())), strict=True))
    ready = all(check.ok for check in found.values())
    if not ready:
        response.status_code = 503
    return Readiness(status="ready" if ready else "unready", checks=found)


async def _check(part: Awaitable[str | None]) -> Check:
    try:
        async with asyncio.timeout(_SECONDS):
            detail = await part
    except TimeoutError:
        detail = f"no answer within {_SECONDS:g} seconds"
    except (SQLAlchemyError, RedisError, MissingSetting, OSError) as error:
        detail = str(error).partition("\n")[0] or type(error).__name__
    return Check(ok=detail is None, detail=detail)
