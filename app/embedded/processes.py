"""Locum's own processes as parts of `locum up`: the API, the worker and the small local model."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import aiohttp
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.db.redis import create_redis
from app.embedded import local_model, minilm
from app.embedded.part import Program
from app.queue import live_workers, retire_worker
from app.settings import SandboxSettings, Settings, child_environment
from app.worker_kinds import QUEUES, WorkerKind, worker_command

_LEVELS: Final = "warning|error|critical"
#: As app.telemetry writes them, for people and as JSON; and what Python writes before that is set up.
_WARNING: Final = rf'\[({_LEVELS}) *\]|"level":"({_LEVELS})"|^Traceback '
_RECORD: Final = r"\d{4}-\d\d-\d\dT|\{|Traceback "

_PROBE_TIMEOUT: Final = aiohttp.ClientTimeout(total=2)


def api(settings: Settings, environment: Mapping[str, str]) -> Program:
    """The API, ready when it answers at `settings.host` and `settings.port`."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104 - that is the question
    url = f"http://{host}:{settings.port}/healthz"

    async def is_ready() -> bool:
        return await _answers(url)

    return Program(
        name="api",
        command=[sys.executable, "-m", "app.cli", "api"],
        environment=environment,
        is_ready=is_ready,
        start_seconds=60,
        stop_seconds=15,
        warning=_WARNING,
        record=_RECORD,
    )


def worker(settings: Settings, environment: Mapping[str, str], kind: WorkerKind) -> Program:
    """A worker, ready when it has announced itself."""
    queue = QUEUES[kind]

    async def is_ready() -> bool:
        async with create_redis(settings) as redis:
            return bool(await _live_workers(redis, queue))

    async def forget_the_dead() -> None:
        """Those of an earlier start, on a Redis that only we use."""
        async with create_redis(settings) as redis:
            for name in await _live_workers(redis, queue):
                await retire_worker(redis, name, queue)

    return Program(
        name="worker" if kind == "runs" else kind,
        command=worker_command(settings, kind),
        environment=environment,
        prepare=forget_the_dead,
        is_ready=is_ready,
        start_seconds=60,
        stop_seconds=15,
        warning=_WARNING,
        record=_RECORD,
    )


def model(port: int) -> Program:
    """The small local model, ready when it is loaded. Raises `CannotStart` if it is not installed."""
    local_model.find_weights()

    async def is_ready() -> bool:
        return await _answers(f"http://127.0.0.1:{port}/health")

    return Program(
        name="model",
        command=[sys.executable, "-m", "app.embedded.local_model", str(port)],
        is_ready=is_ready,
        start_seconds=120,
        warning="^Traceback ",
        record="Traceback |[0-9]",
    )


def embeddings(port: int, environment: Mapping[str, str]) -> Program:
    """The small embedding model, ready when it is loaded. Raises `CannotStart` if it is not installed."""
    minilm.find_files()

    async def is_ready() -> bool:
        return await _answers(f"http://127.0.0.1:{port}/healthz")

    return Program(
        name="embeddings",
        command=[sys.executable, "-m", "app.embedded.local_embeddings", str(port)],
        environment=environment,
        is_ready=is_ready,
        start_seconds=60,
        warning="^Traceback ",
        record="Traceback |[A-Z]",
    )


def sandbox(port: int, token: str, data_dir: Path) -> Program:
    """The sandbox host, ready when it can run code. It is told nothing of Locum's other parts."""

    async def is_ready() -> bool:
        return await _answers(f"http://127.0.0.1:{port}/healthz")

    settings = {"data_dir": data_dir, "sandbox_host": "127.0.0.1", "sandbox_port": port, "sandbox_token": token}
    environment = child_environment(**settings)
    return Program(
        name="sandbox",
        command=[sys.executable, "-m", "app.cli", "sandbox"],
        environment={name: value for name, value in environment.items() if _is_for_sandbox(name)},
        is_ready=is_ready,
        start_seconds=60,
        stop_seconds=15,
        warning=_WARNING,
        record=_RECORD,
    )


def _is_for_sandbox(name: str) -> bool:
    return not name.startswith("LOCUM_") or name.removeprefix("LOCUM_").lower() in SandboxSettings.model_fields


async def _answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession(timeout=_PROBE_TIMEOUT) as http, http.get(url) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


async def _live_workers(redis: Redis, queue: str) -> list[str]:
    try:
        return await live_workers(redis, queue)
    except RedisError:
        return []
