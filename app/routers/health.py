"""`/healthz` (this process lives) and `/readyz` (each part that a run needs, named). Neither asks for a key.

What is the matter with a part is told to the operator alone, by a key with the scope `admin`: it may name addresses and
versions. It stands in the log as well, for when the database is away and nobody's key can be looked at.
"""

import asyncio
import re
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import structlog
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app import auth, sandbox_host
from app.backends.routing import Backends
from app.confinement.doors import HELD
from app.db import migrate
from app.db.session import Sessions, autocommit, transaction
from app.deps import BackendsDep, RedisDep, SessionsDep, SettingsDep, SupervisorDep
from app.errors import in_brief
from app.queue import layers_of, live_workers, troubles_of
from app.settings import MissingSetting, Settings
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
    """Whether a part works, and, for the operator, what is the matter if not.

    Of parts that deal with what strangers wrote, the operator is told as well what holds that back on their machine,
    and which lines of defence it lacks.
    """

    ok: bool
    detail: str | None = None
    held: dict[str, str] | None = None
    lacks: dict[str, str] | None = None


class Readiness(BaseModel):
    status: Literal["ready", "unready"]
    checks: dict[str, Check]


class Health(BaseModel):
    status: Literal["ok"] = "ok"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of a part: see Check."""

    problem: str | None
    held: Mapping[str, str]
    lacks: Mapping[str, str]


class Checks:
    """One check a part: each gives what is the matter, or None, or a finding."""

    def __init__(
        self, settings: Settings, sessions: Sessions, redis: Redis, backends: Backends, supervisor: Supervisor
    ) -> None:
        self._settings = settings
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
        names = await live_workers(self._redis, RUNS_QUEUE)
        return await self._trouble(names, RUNS_QUEUE) if names else "no worker is running"

    async def ingestion(self) -> Finding | str:
        names = await live_workers(self._redis, INGESTION_QUEUE)
        if not names:
            return "no ingestion worker is running"
        layers = await layers_of(self._redis, names)
        return Finding(await self._trouble(names, INGESTION_QUEUE), *_all_together(layers))

    async def _trouble(self, names: list[str], queue: str) -> str | None:
        troubles = await troubles_of(self._redis, names, queue)
        return "; ".join(f"{name}: {trouble}" for name, trouble in troubles.items()) or None

    async def backend(self) -> str | None:
        return await self._backends.probe()

    async def embeddings(self) -> str | None:
        return await self._backends.probe_embeddings()

    async def sandbox(self) -> Finding:
        told = await sandbox_host.ask(self._settings)
        return Finding(told.problem, told.held, told.lacks)


def _all_together(layers: Mapping[str, Mapping[str, str]]) -> tuple[dict[str, str], dict[str, str]]:
    """Which layers confine the parsers of every worker, and which those of some do not, and why."""
    held, lacks = {}, {}
    for layer in dict.fromkeys(layer for told in layers.values() for layer in told):
        states = {name: told.get(layer, "not told") for name, told in layers.items()}
        if wanting := [f"{name}: {state}" for name, state in states.items() if state != HELD]:
            lacks[layer] = "; ".join(wanting)
        else:
            held[layer] = HELD
    return held, lacks


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
    checks = Checks(settings, sessions, redis, backends, supervisor)
    parts: dict[str, Awaitable[Finding | str | None]] = {
        "database": checks.database(),
        "redis": checks.redis(),
        "background": checks.background(),
        "worker": checks.worker(),
        "ingestion": checks.ingestion(),
        "backend": checks.backend(),
        "embeddings": checks.embeddings(),
    }
    if settings.sandbox_url is not None:
        parts["sandbox"] = checks.sandbox()
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


async def _check(part: Awaitable[Finding | str | None]) -> Check:
    try:
        async with asyncio.timeout(_SECONDS):
            found = await part
    except TimeoutError:
        found = f"no answer within {_SECONDS:g} seconds"
    except (SQLAlchemyError, RedisError, MissingSetting, OSError) as error:
        found = in_brief(error)
    problem = found.problem if isinstance(found, Finding) else found
    check = Check(ok=problem is None, detail=None if problem is None else _told(problem))
    if isinstance(found, Finding) and (found.held or found.lacks):
        check.held = {what: _told(by) for what, by in found.held.items()}
        check.lacks = {what: _told(why) for what, why in found.lacks.items()}
    return check


def _told(detail: str) -> str:
    """`detail` without secrets, and without who logs in where it names URLs."""
    return _LOGIN.sub(r"\1", without_secrets(detail))
