"""Locum's own processes, started for tests: the API and workers, as `locum api` and `locum worker` start them."""

import contextlib
import hashlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psycopg
from openai import OpenAI
from redis import Redis

from app import ids
from tests.stack import Stack

_START_SECONDS = 30
_STOP_SECONDS = 15
_LONGEST_PAUSE = 0.1


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 10) -> Any:
    """Asks `condition` until it is true, and gives what it said. Raises TimeoutError.

    It asks ever less often: to ask takes time of the processor's, which what is waited for needs too.
    """
    deadline = time.monotonic() + seconds
    pause = 0.01
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(pause)
        pause = min(1.2 * pause, _LONGEST_PAUSE)
    return answer


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Locum:
    """A running Locum. Its processes can be stopped and started by the test that holds it."""

    environment: dict[str, str]
    logs: Path
    database_url: str
    port: int
    api_key: str = ""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, api_key: str | None = None) -> OpenAI:
        """The official client, refusing answers that are not of its types, and hiding no failure by trying again."""
        return OpenAI(
            base_url=self.base_url,
            api_key=api_key or self.api_key,
            max_retries=0,
            timeout=30,
            _strict_response_validation=True,
        )

    def new_project(self, *scopes: str) -> str:
        """Makes a project; gives its API key, which has `scopes`, or all."""
        project_id = ids.new(ids.PROJECT)
        with psycopg.connect(self.database_url) as connection:
            connection.execute("INSERT INTO projects (id, name, created_at) VALUES (%s, 'test', now())", [project_id])
        return self.new_key(project_id, *scopes)

    def new_key(self, project_id: str | None, *scopes: str) -> str:
        """Makes a key of a project, with `scopes` or all; where there is no project, one of the operator's."""
        api_key = f"sk-locum-{secrets.token_urlsafe(32)}"
        granted = list(scopes) or (["admin"] if project_id is None else ["read", "write"])
        with psycopg.connect(self.database_url) as connection:
            connection.execute(
                "INSERT INTO api_keys (id, project_id, name, sha256, hint, scopes, created_at)"
                " VALUES (%s, %s, 'test', %s, 'sk-locum-...', %s, now())",
                [ids.new(ids.API_KEY), project_id, hashlib.sha256(api_key.encode()).digest(), granted],
            )
        return api_key

    def project_of(self, api_key: str) -> str:
        """The id of the project of a key."""
        with psycopg.connect(self.database_url) as connection:
            query = "SELECT project_id FROM api_keys WHERE sha256 = sha256(%s)"
            row = connection.execute(query, [api_key.encode()]).fetchone()
        assert row is not None
        return str(row[0])

    def redis(self) -> Redis:
        """A connection to Locum's Redis."""
        return Redis.from_url(self.environment["LOCUM_REDIS_URL"])

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        """Starts `locum <command>` as the process `name`."""
        with (self.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", *command],
                env=self.environment,
                cwd=self.logs,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes[name] = process
        return process

    def start_sandbox(self) -> None:
        """Starts the sandbox host; returns when it can run code."""
        process = self.start("sandbox", "sandbox")
        url = f"{self.environment['LOCUM_SANDBOX_URL']}/healthz"

        def is_ready() -> bool:
            if process.poll() is not None:
                raise RuntimeError((self.logs / "sandbox.log").read_text())
            with contextlib.suppress(httpx2.TransportError):
                return httpx2.get(url, timeout=5).status_code == 200
            return False

        wait_for(is_ready, "the sandbox host", _START_SECONDS)

    def stop(self, name: str, signal_number: int = signal.SIGTERM) -> int:
        """Ends a process and all its children; gives its exit status."""
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal_number)
        try:
            return process.wait(_STOP_SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def wait_until_ready(self) -> None:
        """Returns when /readyz says so of all but the sandbox host, which tests start that need it.

        Raises with the ends of the logs if it does not in time.
        """

        def is_ready() -> bool:
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise RuntimeError(f"{name} has ended with status {process.returncode}")
            with contextlib.suppress(httpx2.TransportError):
                checks = httpx2.get(f"{self.origin}/readyz", timeout=5).json()["checks"]
                return all(check["ok"] for part, check in checks.items() if part != "sandbox")
            return False

        try:
            wait_for(is_ready, "Locum to be ready", _START_SECONDS)
        except (TimeoutError, RuntimeError) as error:
            tails = [f"== {path.name}\n{path.read_text()[-4000:]}" for path in sorted(self.logs.glob("*.log"))]
            raise RuntimeError("\n".join([str(error), *tails])) from None


#: Impatient settings, so that tests of time-outs and recovery take seconds.
IMPATIENT = {
    "LOCUM_SWEEP_SECONDS": "0.3",
    "LOCUM_RUN_LEASE_SECONDS": "3",
    "LOCUM_BACKEND_IDLE_TIMEOUT": "2",
    "LOCUM_BACKEND_RETRIES": "2",
    "LOCUM_EVENT_KEEPALIVE_SECONDS": "1",
    "LOCUM_RUN_MAX_TURNS": "12",
    "LOCUM_WORKER_CONCURRENCY": "64",
    "LOCUM_POLL_AFTER_MS": "20",
    "LOCUM_INGESTION_LEASE_SECONDS": "3",
    "LOCUM_INGESTION_TRIES": "3",
}
#: Every name of a scripted model reaches the backend as it is.
ROUTES = """[
    {"match": "scripted-*"}, {"match": "echo"},
    {"match": "emulated-*", "tools": "emulated"}, {"match": "toolless-*", "tools": "none"},
    {"match": "blind-*", "vision": false}, {"match": "schemaless-*", "json_schema": false},
    {"match": "narrow-*", "context_window": 2048}
]"""


@contextlib.contextmanager
def run_locum(stack: Stack, backend_url: str, folder: Path, **settings: str) -> Iterator[Locum]:
    """Runs one API and a worker of each kind on `stack`, migrated and with a project, until the block is left."""
    port, sandbox_port = free_port(), free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LOCUM_")}
    environment = {
        **inherited,
        **IMPATIENT,
        "LOCUM_DATABASE_URL": stack.database_url,
        "LOCUM_REDIS_URL": stack.redis_url,
        "LOCUM_BACKEND_URL": backend_url,
        "LOCUM_MODELS": ROUTES,
        "LOCUM_DATA_DIR": str(folder / "data"),
        "LOCUM_PORT": str(port),
        "LOCUM_SANDBOX_URL": f"http://127.0.0.1:{sandbox_port}",
        "LOCUM_SANDBOX_PORT": str(sandbox_port),
        "LOCUM_SANDBOX_TOKEN": secrets.token_hex(16),
        "LOCUM_LOG_LEVEL": "info",
        "PYTHONPATH": str(Path(__file__).parent.parent),
        **settings,
    }
    locum = Locum(environment, folder, stack.database_url, port)
    try:
        locum.start("migrate", "migrate")
        if locum.processes.pop("migrate").wait(_START_SECONDS) != 0:
            raise RuntimeError((folder / "migrate.log").read_text())
        locum.api_key = locum.new_project()
        locum.start("api", "api")
        locum.start("worker", "worker")
        locum.start("ingestion", "worker", "--queue", "ingestion")
        locum.wait_until_ready()
        yield locum
    finally:
        for name in list(locum.processes):
            locum.stop(name)
