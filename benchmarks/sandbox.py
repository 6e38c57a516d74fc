"""What the sandbox adds to a kernel: `python -m benchmarks.sandbox`.

A host with the launcher bubblewrap and its client, as workers have it, on this machine. A bare ipykernel runs the same
code in the same run. Prints how long a burst of new sessions takes and another right behind it, a new session with and
without a kernel kept warm, the time to the first output, memory, and the rates of files.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil

from app.settings import SandboxSettings
from benchmarks import bare_kernel
from benchmarks.figures import percentile
from sandbox.environment import Environment
from sandbox.protocol import Text
from tests.running import wait_for
from tests.sandbox.hosts import Host, run_host
from workers.sandbox import SandboxClient, SandboxSession

MEBIBYTE = 2**20
EXECUTIONS = 200
OPENINGS = 10
AT_ONCE = 20
FILE = 100 * MEBIBYTE
WORK = "import pandas as pd\nprint(int(pd.Series(range(10**6)).sum()))"
SETTINGS: dict[str, Any] = {
    "memory_bytes": 2**30,
    "file_bytes": 512 * MEBIBYTE,
    "disk_bytes": 1024 * MEBIBYTE,
    "processes": 96,
    "execution_seconds": 120,
    "max_sessions": 64,
}


async def first_output(session: SandboxSession, code: str) -> float:
    """Milliseconds until the code has printed something; returns when it has ended."""
    begun = time.perf_counter()
    seen = 0.0
    async for event in session.execute(code):
        if isinstance(event, Text) and not seen:
            seen = (time.perf_counter() - begun) * 1000
    return seen


async def warm_session(client: SandboxClient) -> None:
    """The first output of a session that has been used before, against the bare kernel."""
    environment = Environment.of(SandboxSettings())
    bare = [str(environment.root / "bin" / "python"), bare_kernel.__file__, str(EXECUTIONS)]
    ran = await asyncio.to_thread(subprocess.run, bare, capture_output=True, check=True)
    direct: list[float] = json.loads(ran.stdout)
    session = await client.open("warm")
    times = [await first_output(session, bare_kernel.CODE) for _ in range(EXECUTIONS + 10)][10:]
    await session.close()
    print(f"first output of a session in use, {EXECUTIONS} executions each")
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        one, other = percentile(direct, share), percentile(times, share)
        print(
            f"  {name}: ipykernel {one:5.1f} ms   sandbox {other:5.1f} ms   beyond 1.2 times {other - 1.2 * one:.1f} ms"
        )


async def openings(client: SandboxClient, host: Host, *, warm: int) -> None:
    """New sessions, one after the other: until they are open, and until the first output of their first code."""
    opened, output = [], []
    for number in range(OPENINGS):
        if warm:
            await asyncio.to_thread(wait_for, lambda: host.stats()["warm"] == warm, "a warm kernel", 30)
        begun = time.perf_counter()
        session = await client.open(f"opening_{number}")
        opened.append((time.perf_counter() - begun) * 1000)
        await first_output(session, bare_kernel.CODE)
        output.append((time.perf_counter() - begun) * 1000)
        await session.close()
    what = "with a kernel kept warm" if warm else "cold"
    print(
        f"a new session, {what}: open after {percentile(opened, 0.5):.0f} ms (at most {max(opened):.0f}),"
        f" first output after {percentile(output, 0.5):.0f} ms (at most {max(output):.0f})"
    )


async def bursts(host: Host, client: SandboxClient) -> None:
    """Sessions that are opened in one moment, twice, the second time right behind the first."""
    for which in ("first", "second, right behind it"):
        begun = time.perf_counter()
        names = (f"burst_{which[:5]}_{number}" for number in range(AT_ONCE))
        sessions = await asyncio.gather(*(client.open(name) for name in names))
        opened = time.perf_counter() - begun
        await asyncio.gather(*(first_output(session, bare_kernel.CODE) for session in sessions))
        answered = time.perf_counter() - begun
        print(
            f"{AT_ONCE} sessions at once, {which}: all are open after {opened:.2f} s, have answered after"
            f" {answered:.2f} s; processor time of the host and its kernels until then {_processor(host):.1f} s"
        )
        await asyncio.gather(*(session.close() for session in sessions))


async def at_work(client: SandboxClient, host: Host) -> None:
    """Sessions that compute in one moment."""
    before = _memory(host)
    sessions = await asyncio.gather(*(client.open(f"at_work_{number}") for number in range(AT_ONCE)))
    await asyncio.gather(*(first_output(session, bare_kernel.CODE) for session in sessions))
    idle = _memory(host)
    begun = time.perf_counter()
    await asyncio.gather(*(first_output(session, WORK) for session in sessions))
    worked = time.perf_counter() - begun
    busy = _memory(host)
    print(f"pandas imported and used in {AT_ONCE} sessions at once: after {worked:.1f} s")
    for what, memory in (("idle", idle), ("with pandas", busy)):
        print(f"  memory of a session, {what}: {(memory - before) / AT_ONCE / MEBIBYTE:.0f} MB")
    await asyncio.gather(*(session.close() for session in sessions))


async def files(client: SandboxClient) -> None:
    """One large file, there and back."""
    session = await client.open("files")
    await first_output(session, bare_kernel.CODE)
    noise = os.urandom(MEBIBYTE)
    begun = time.perf_counter()
    await session.put("large", _stream(noise), FILE)
    put = time.perf_counter() - begun
    begun = time.perf_counter()
    size = sum([len(piece) async for piece in session.get("large")])
    got = time.perf_counter() - begun
    assert size == FILE
    print(f"a file of 100 MB: put {FILE / MEBIBYTE / put:.0f} MB/s, got {FILE / MEBIBYTE / got:.0f} MB/s")
    await session.close()


async def _stream(piece: bytes) -> AsyncIterator[bytes]:
    for _ in range(FILE // len(piece)):
        yield piece


def _memory(host: Host) -> int:
    """Of the host and all that runs in it, with shared pages counted in shares."""
    total = 0
    own = psutil.Process(host.process.pid)
    for process in (own, *own.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            total += process.memory_full_info().pss
    return total


def _processor(host: Host) -> float:
    """Seconds of the host, of what runs in it, and of what has ended in it."""
    process = psutil.Process(host.process.pid)
    times = process.cpu_times()
    total = sum((times.user, times.system, times.children_user, times.children_system))
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += sum(child.cpu_times()[:2])
    return total


@contextlib.asynccontextmanager
async def _host(**settings: Any) -> AsyncIterator[tuple[Host, SandboxClient]]:
    """A host of its own, and its client."""
    with tempfile.TemporaryDirectory(prefix="locum-bench-") as name:
        folder = Path(name)
        await asyncio.to_thread(folder.chmod, 0o755)
        with run_host(folder, **SETTINGS, **settings) as host:
            client = SandboxClient(host.url, host.token)
            try:
                yield host, client
            finally:
                await client.close()


async def measure() -> None:
    """Starts hosts, measures, stops them."""
    async with _host() as (host, client):
        warm = SandboxSettings.model_fields["sandbox_warm"].default
        await asyncio.to_thread(wait_for, lambda: host.stats()["warm"] == warm, "the warm kernels", 30)
        await bursts(host, client)
    async with _host(warm=0) as (host, client):
        await openings(client, host, warm=0)
        await at_work(client, host)
    async with _host(warm=1) as (host, client):
        await openings(client, host, warm=1)
        await warm_session(client)
        await files(client)


def main() -> None:
    """Measures, and prints."""
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
    asyncio.run(measure())


if __name__ == "__main__":
    main()
