"""What the sandbox adds to a kernel: `python -m benchmarks.sandbox`.

A host with the launcher bubblewrap and its client, as workers have it, on this machine. A bare ipykernel runs the same
code in the same run. Prints the time to the first output, how long new sessions take with and without a kernel kept
warm, what sessions at once take in time and memory, and the rates of files.
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


async def at_once(client: SandboxClient, host: Host) -> None:
    """Sessions that are opened in one moment, and compute in one moment."""
    before = _memory(host)
    begun = time.perf_counter()
    sessions = await asyncio.gather(*(client.open(f"at_once_{number}") for number in range(AT_ONCE)))
    await asyncio.gather(*(first_output(session, bare_kernel.CODE) for session in sessions))
    up = time.perf_counter() - begun
    idle = _memory(host)
    begun = time.perf_counter()
    await asyncio.gather(*(first_output(session, WORK) for session in sessions))
    worked = time.perf_counter() - begun
    busy = _memory(host)
    print(
        f"{AT_ONCE} sessions at once: all have answered after {up:.1f} s, pandas imported and used in all of them after"
        f" {worked:.1f} s more"
    )
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


async def _with_client(host: Host, *, warm: int) -> None:
    client = SandboxClient(host.url, host.token)
    try:
        await openings(client, host, warm=warm)
        if warm:
            await warm_session(client)
            await at_once(client, host)
            await files(client)
    finally:
        await client.close()


def main() -> None:
    """Starts hosts, measures, stops them."""
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
    for warm in (0, 1):
        with tempfile.TemporaryDirectory(prefix="locum-bench-") as name:
            folder = Path(name)
            folder.chmod(0o755)
            with run_host(folder, warm=warm, **SETTINGS) as host:
                asyncio.run(_with_client(host, warm=warm))


if __name__ == "__main__":
    main()
