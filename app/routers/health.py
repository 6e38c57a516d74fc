"""`/healthz` (this process lives) and `/readyz` (each part that a run needs, named). Neither asks for a key.

What is the matter with a part is told to the operator alone, by a key with the scope `admin`: it may name addresses and
versions. It stands in the log as well, for when the database is away and nobody's key can be looked at.
"""

import asyncio
import re
from collections.abc import Awaitable
from typing import Final, Literal

import structlog
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app import auth, sandbox_host
from app.backends.routing import Backends
from app.db import migrate
from app.db.session import Sessions, autocommit, transaction
from app.deps import BackendsDep, RedisDep, SessionsDep, SettingsDep, SupervisorDep
from app.errors import in_brief
from app.queue import live_workers, troubles_of
from app.settings import MissingSetting
from app.supervision import Supervisor
from app.telemetry import without_secrets
from app.worker_kinds import INGESTION_QUEUE, RUNS_QUEUE

router = APIRouter(tags=["Health"])
log = structlog.get_logger()

#: What one check may take.
_SECONDS: Final = 2.0
#: Of a URL: user, password.
_LOGIN: Final = re.compile(r"([a-z][a-z0-9+.-]*://)[^/?#\s]*@", re.IGNORECASE)


class Check(BaseModel):
    """Whether a part works, and, for the operator, what is the matter if not."""

    ok: bool
    detail: str | None = None


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


@router.get("/readyz", responses={503: {"model": Readiness}}, response_model_exclude_unset=True)
async def readyz(
    request: Request,
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
    _log(request, found)
    if not await _is_operator(request, sessions):
        found = {part: Check(ok=check.ok) for part, check in found.items()}
    if not ready:
        response.status_code = 503
    return Readiness(status="ready" if ready else "unready", checks=found)


async def _is_operator(request: Request, sessions: Sessions) -> bool:
    if auth.key_of(request) is None:
        return False
    try:
        async with asyncio.timeout(_SECONDS), autocommit(sessions) as session:
            return await auth.is_operator(session, request)
    except (SQLAlchemyError, OSError):
        # Whoever it is, they are told what strangers are.
        return False


def _log(request: Request, found: dict[str, Check]) -> None:
    """Logs what is the matter, when it begins and when it changes."""
    troubles = {part: check.detail for part, check in found.items() if not check.ok}
    if troubles != getattr(request.app.state, "troubles", {}):
        request.app.state.troubles = troubles
        log.warning("readiness", **troubles) if troubles else log.info("readiness", all="ok")


async def _check(part: Awaitable[str | None]) -> Check:
    try:
        async with asyncio.timeout(_SECONDS):
            detail = await part
    except TimeoutError:
        detail = f"no answer within {_SECONDS:g} seconds"
    except (SQLAlchemyError, RedisError, MissingSetting, OSError) as error:
        detail = in_brief(error)
    return Check(ok=detail is None, detail=None if detail is None else _told(detail))


def _told(detail: str) -> str:
    """`detail` without secrets, and without who logs in where it names URLs."""
    return _LOGIN.sub(r"\1", without_secrets(detail))
