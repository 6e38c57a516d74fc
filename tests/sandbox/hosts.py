"""Sandbox hosts for tests, as `locum sandbox` starts them, and what comes of code that runs in them."""

import asyncio
import contextlib
import os
import secrets
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from app.embedded import identity
from sandbox.protocol import CodeError, Done, Image, Started, Text
from tests.running import free_port, wait_for
from workers.sandbox import SandboxSession

REPOSITORY = Path(__file__).parent.parent.parent

_START_SECONDS = 30
_STOP_SECONDS = 20

#: Small enough to be run into.
LIMITS = {
    "memory_bytes": 512 * 2**20,
    "processes": 64,
    "file_bytes": 32 * 2**20,
    "disk_bytes": 64 * 2**20,
    "files": 12_000,
    "execution_seconds": 40,
    "grace_seconds": 1,
    "output_bytes": 100_000,
}


@dataclass
class Host:
    """A running host."""

    url: str
    token: str
    folder: Path
    log: Path
    process: "subprocess.Popen[bytes]"

    def stats(self) -> dict[str, Any]:
        answer = httpx2.get(f"{self.url}/stats", headers={"Authorization": f"Bearer {self.token}"})
        return dict(answer.raise_for_status().json())


def as_nobody(command: list[str]) -> list[str]:
    """The command as the account nobody, which is let in to the Python and the code that it needs."""
    needed = {str(Path(path).resolve()) for path in (sys.base_prefix, sys.prefix, REPOSITORY)}
    closed = {str(door) for door in (_closed_door(Path(path)) for path in needed) if door is not None}
    lines = []
    for door in sorted(closed):
        behind = [path for path in sorted(needed) if Path(path).is_relative_to(door)]
        # What is needed is held open, an open folder put over the closed one, and what is needed back into that.
        lines += [f"exec {number + 3}<{path}" for number, path in enumerate(behind)]
        lines += [f"mount -t tmpfs -o mode=755 tmpfs {door}"]
        lines += [
            f"mkdir -p {path} && mount -c --bind /proc/self/fd/{number + 3} {path}"
            for number, path in enumerate(behind)
        ]
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--pdeathsig=KILL"]
    return ["unshare", "--mount", "sh", "-euc", "\n".join([*lines, 'exec "$@"']), "sh", *drop, *command]


def _closed_door(path: Path) -> Path | None:
    """The first folder on the way to `path` that others may not pass."""
    return next((parent for parent in reversed(path.parents) if not parent.stat().st_mode & stat.S_IXOTH), None)


@contextlib.contextmanager
def run_host(folder: Path, *, unprivileged: bool = False, **settings: object) -> Iterator[Host]:
    """Runs a host on `folder` until the block is left. `unprivileged`: as a user with no rights."""
    folder.mkdir(exist_ok=True)
    process, host = start_host(folder, unprivileged=unprivileged, **settings)
    try:
        yield host
    finally:
        stop(process)


def start_host(
    folder: Path, *, unprivileged: bool = False, **settings: object
) -> tuple["subprocess.Popen[bytes]", Host]:
    """Starts a host; returns when it answers."""
    process, host = begin_host(folder, unprivileged=unprivileged, **settings)

    def answers() -> bool:
        assert process.poll() is None, host.log.read_text()
        with contextlib.suppress(httpx2.TransportError):
            return httpx2.get(f"{host.url}/healthz").status_code == 200
        return False

    wait_for(answers, "the sandbox host", _START_SECONDS)
    return process, host


def begin_host(
    folder: Path, *, unprivileged: bool = False, **settings: object
) -> tuple["subprocess.Popen[bytes]", Host]:
    """Starts a host, and does not wait for it."""
    port, token = free_port(), secrets.token_hex(16)
    own = {"host": "127.0.0.1", "port": port, "token": token, "dir": folder / "sandbox", **LIMITS, **settings}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCUM_")}
    environment |= {f"LOCUM_SANDBOX_{name.upper()}": str(value) for name, value in own.items()}
    # What the host must keep to itself.
    environment["A_SECRET_OF_THE_HOST"] = "hunter2"
    command = [sys.executable, "-m", "app.cli", "sandbox"]
    command = as_nobody(command) if unprivileged else identity.wrapped(command)
    log = folder / "host.log"
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    return process, Host(f"http://127.0.0.1:{port}", token, folder, log, process)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Ends a host as an operator does."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    process.wait(_STOP_SECONDS)


@dataclass
class Ran:
    """What came of an execution."""

    fresh: bool = False
    texts: list[Text] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    errors: list[CodeError] = field(default_factory=list)
    done: Done = field(default_factory=lambda: Done("died", 0))

    def text(self, stream: str) -> str:
        return "".join(text.text for text in self.texts if text.stream == stream)

    @property
    def stdout(self) -> str:
        return self.text("stdout")

    @property
    def status(self) -> str:
        return self.done.status

    @property
    def message(self) -> str:
        return self.done.message or ""


async def run(
    session: SandboxSession, code: str, seconds: float | None = None, spoken: asyncio.Event | None = None
) -> Ran:
    """Runs code to its end; sets `spoken` at its first text."""
    ran = Ran()
    async for event in session.execute(code, seconds):
        match event:
            case Started():
                ran.fresh = event.fresh
            case Text():
                ran.texts.append(event)
                if spoken is not None:
                    spoken.set()
            case Image():
                ran.images.append(event)
            case CodeError():
                ran.errors.append(event)
            case Done():
                ran.done = event
    return ran


@contextlib.asynccontextmanager
async def running(session: SandboxSession, code: str) -> AsyncIterator["asyncio.Task[Ran]"]:
    """Runs code for the block, which is entered once the code has said something."""
    spoken = asyncio.Event()
    task = asyncio.create_task(run(session, code, spoken=spoken))
    try:
        await asyncio.wait_for(spoken.wait(), 20)
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
