"""What a session that takes all it can costs the others: `python -m benchmarks.sandbox_neighbours`.

A host with the launcher bubblewrap. A session of its own executes `print(1)` again and again, alone and beside code
that takes as much as it can of one thing (`tests.sandbox.hogs`). Prints the median until the output, alone right before
and meanwhile, and their ratio; as root with control groups, and as another user without.
"""

import asyncio
import os
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from app.embedded.owned import NOBODY
from benchmarks.sandbox import first_output
from tests.sandbox.hogs import HOGS, LIMITS
from tests.sandbox.hosts import run, run_host
from workers.sandbox import SandboxClient, SandboxSession

#: For how long it is asked alone. Beside a hog it is asked as long as that runs.
ALONE_SECONDS = 2.0
PAUSE_SECONDS = 0.02


@asynccontextmanager
async def probing(session: SandboxSession) -> AsyncIterator[list[float]]:
    """Asks the session again and again for the block; gives the milliseconds of each answer."""
    times: list[float] = []
    enough = asyncio.Event()

    async def ask() -> None:
        # To its end: an answer that nobody waits for is an interrupt, which the next one would wait for.
        while not enough.is_set():
            times.append(await first_output(session, "print(1)"))
            await asyncio.sleep(PAUSE_SECONDS)

    task = asyncio.create_task(ask())
    try:
        yield times
    finally:
        enough.set()
        await task


async def measure(client: SandboxClient) -> None:
    """Each hog in a session of its own."""
    probe = await client.open("probe")
    for _ in range(20):
        await first_output(probe, "print(1)")
    for number, (what, code) in enumerate(HOGS.items()):
        hog = await client.open(f"hog_{number}")
        async with probing(probe) as alone:
            await asyncio.sleep(ALONE_SECONDS)
        async with probing(probe) as beside:
            ran = await run(hog, code)
        await hog.close()
        one, other = statistics.median(alone), statistics.median(beside)
        print(
            f"  {what:36} {ran.status:11} alone {one:5.1f} ms   beside {other:5.1f} ms   ratio {other / one:.2f}"
            f"   ({len(beside)} answers)"
        )


async def main() -> None:
    """Starts hosts, measures, stops them."""
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
    for unprivileged in (False, True) if os.geteuid() == 0 else (False,):
        with tempfile.TemporaryDirectory(prefix="locum-bench-") as name:
            if unprivileged:
                os.chown(name, NOBODY, NOBODY)
            with run_host(Path(name), unprivileged=unprivileged, **LIMITS) as host:
                print(f"limits by: {host.stats()['held']['memory']}")
                client = SandboxClient(host.url, host.token)
                try:
                    await measure(client)
                finally:
                    await client.close()


if __name__ == "__main__":
    asyncio.run(main())
