"""The system that is broken on purpose: two APIs, three workers, ingestion, a sandbox host, Postgres and Redis."""

import contextlib
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, quote, urlsplit

import httpx2

from app.worker_kinds import INGESTION_QUEUE, RUNS_QUEUE
from tests.fakes.completion_backend import CompletionBackend
from tests.faults.disk import Disk
from tests.faults.network import before, before_postgres
from tests.faults.relay import Relay
from tests.running import Locum, free_port, run_locum, wait_for
from tests.stack import BreakableStack, run_breakable_stack

LEASE_SECONDS = 3
_SETTINGS = {
    "LOCUM_RUN_LEASE_SECONDS": str(LEASE_SECONDS),
    "LOCUM_BACKEND_RETRIES": "6",
    "LOCUM_DATABASE_POOL_TIMEOUT": "5",
    "LOCUM_DATABASE_COMMAND_TIMEOUT": "4",
    "LOCUM_SANDBOX_WARM": "0",
    "LOCUM_INGESTION_TRIES": "20",
}
_READY_SECONDS = 60
#: What has fallen silent a moment before is given up first: a connection of Celery's, and one of ours.
_LEAVE_SECONDS = 15


class Networks(NamedTuple):
    """What lies between Locum and its servers."""

    postgres: Relay
    redis: Relay
    #: The models' server and that of the embeddings, which are one.
    models: Relay


class System:
    """Processes by name (`api`, `api2`, `worker`, `worker2`, `worker3`, `ingestion`, `sandbox`), and the servers."""

    def __init__(
        self, locum: Locum, servers: BreakableStack, networks: "Networks", disk: Disk, *, has_sandbox: bool
    ) -> None:
        self.locum = locum
        self.servers = servers
        self.networks = networks
        self.disk = disk
        self._ports = {"api": locum.port, "api2": free_port()}
        self._commands = {
            "api": ["api"],
            "api2": ["api", "--port", str(self._ports["api2"])],
            **{name: ["worker"] for name in ("worker", "worker2", "worker3")},
            "ingestion": ["worker", "--queue", "ingestion"],
        }
        if has_sandbox:
            self._commands["sandbox"] = ["sandbox"]
        for name in self._commands.keys() - locum.processes.keys():
            self.start(name)

    @property
    def workers(self) -> list[str]:
        """The names of the workers of runs."""
        return [name for name in self._commands if name.startswith("worker")]

    @property
    def apis(self) -> list[str]:
        """The names of the API processes."""
        return list(self._ports)

    @property
    def has_sandbox(self) -> bool:
        """Whether code can be run."""
        return "sandbox" in self._commands

    def base_url(self, api: str) -> str:
        """Where an API process is reached."""
        return f"http://127.0.0.1:{self._ports[api]}/v1"

    def start(self, name: str) -> None:
        """Starts a process."""
        self.locum.start(name, *self._commands[name])

    def kill(self, name: str) -> None:
        """Ends a process without a word."""
        self.locum.stop(name, signal.SIGKILL)

    def terminate(self, name: str) -> None:
        """Asks a process that is up to end. Raises AssertionError if it does not do so soon, and well."""
        wait_for(lambda: self._is_up(name), f"{name} to be up", _READY_SECONDS)
        asked = time.monotonic()
        status = self.locum.stop(name, signal.SIGTERM)
        took = time.monotonic() - asked
        if status != 0 or took > _LEAVE_SECONDS:
            raise AssertionError(f"{name} ended with status {status} after {took:.1f} s when it was asked to")

    def _is_up(self, name: str) -> bool:
        if name in self._ports:
            with contextlib.suppress(httpx2.TransportError):
                return httpx2.get(self.base_url(name).replace("/v1", "/healthz"), timeout=5).status_code == 200
            return False
        queue = INGESTION_QUEUE if name == "ingestion" else RUNS_QUEUE
        with self.locum.redis() as redis:
            announced = redis.zrange(f"locum:workers:{queue}", 0, -1)
        return any(member.decode().endswith(f":{self.locum.processes[name].pid}") for member in announced)

    @contextlib.contextmanager
    def stopped(self, name: str) -> Iterator[None]:
        """A process does nothing during the block, and does not know of it."""
        pid = self.locum.processes[name].pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def wait_until_well(self) -> None:
        """Returns when every process lives and all parts are ready. Raises TimeoutError, RuntimeError."""

        def is_well() -> bool:
            for name, process in self.locum.processes.items():
                if process.poll() is not None:
                    raise RuntimeError(f"{name} has ended by itself with status {process.returncode}")
            with contextlib.suppress(httpx2.TransportError):
                answers = [
                    httpx2.get(self.base_url(api).replace("/v1", "/readyz"), timeout=5).json()["checks"]
                    for api in self.apis
                ]
                checked = [check for checks in answers for part, check in checks.items() if part != "sandbox"]
                return all(check["ok"] for check in checked)
            return False

        wait_for(is_well, "the system to be well", _READY_SECONDS)


@contextlib.contextmanager
def run_system(folder: Path, backend: CompletionBackend, *, has_sandbox: bool) -> Iterator[System]:
    """Runs a system in `folder` until the block is left."""
    for name in ("stack", "locum"):
        (folder / name).mkdir()
    with contextlib.ExitStack() as opened:
        servers = opened.enter_context(run_breakable_stack(folder / "stack"))
        sockets = Path(parse_qs(urlsplit(servers.urls.database_url).query)["host"][0])
        # The path of a Unix socket has 107 bytes at most: those of folders of tests may have more.
        near = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="net-")))
        network = opened.enter_context(before_postgres(sockets, near))
        host = quote(str(near), safe="")
        urls = replace(servers.urls, database_url=servers.urls.database_url.replace(quote(str(sockets), safe=""), host))
        redis, redis_port = opened.enter_context(before(servers.urls.redis_url))
        models, models_port = opened.enter_context(before(backend.url))
        urls = replace(urls, redis_url=f"redis://127.0.0.1:{redis_port}/0")
        disk = opened.enter_context(contextlib.closing(Disk(folder / "locum" / "data" / "files", 32)))
        locum = opened.enter_context(
            run_locum(urls, f"http://127.0.0.1:{models_port}/v1", folder / "locum", **_SETTINGS)
        )
        system = System(locum, servers, Networks(network, redis, models), disk, has_sandbox=has_sandbox)
        system.wait_until_well()
        yield system
