"""What Locum costs: `python -m benchmarks.run_overhead`.

Everything on this machine: a scripted backend, one API process, one worker process, Postgres and Redis. Prints each
figure with its ratio to the backend called directly.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from benchmarks.client import Timing, post, time_stream
from tests.running import Locum, free_port, run_locum
from tests.stack import run_stack

IDLE_CALLS = 200
STREAMS = 200
TOKENS = 100
TOKEN_SECONDS = 0.02
RUNS = 1000
RUNS_AT_ONCE = 64
LONG_THREAD = 10_000
SHORT_THREAD = 10

ONE_TOKEN = "scripted-one-token"
SLOW = "scripted-slow"

_DIRECT_MARK = b'"content"'
_LOCUM_MARK = b"thread.message.delta"


@dataclass(frozen=True, slots=True)
class Bench:
    """Both ways to the same model server."""

    session: aiohttp.ClientSession
    direct_url: str
    locum: Locum

    async def direct(self, model: str) -> Timing:
        """One streamed completion of the backend itself."""
        body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "stream": True}
        return await time_stream(self.session, f"{self.direct_url}/chat/completions", body, _DIRECT_MARK)

    async def assistant(self, model: str) -> str:
        """The id of a new assistant."""
        body = {"model": model, "instructions": "Answer with words."}
        return str((await post(self.session, f"{self.locum.base_url}/assistants", body))["id"])

    async def thread(self, messages: int = 1) -> str:
        """The id of a new thread with so many messages."""
        content = [{"role": "user", "content": f"message {number}"} for number in range(messages)]
        return str((await post(self.session, f"{self.locum.base_url}/threads", {"messages": content}))["id"])

    async def through_locum(self, assistant: str, thread: str, **options: Any) -> Timing:
        """One streamed run."""
        body = {"assistant_id": assistant, "stream": True, **options}
        return await time_stream(self.session, f"{self.locum.base_url}/threads/{thread}/runs", body, _LOCUM_MARK)


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def first_token_when_idle(bench: Bench) -> None:
    """Alternates direct calls and runs, one at a time."""
    assistant = await bench.assistant(ONE_TOKEN)
    direct, through = [], []
    for number in range(IDLE_CALLS + 10):
        thread = await bench.thread()
        d = await bench.direct(ONE_TOKEN)
        t = await bench.through_locum(assistant, thread)
        if number >= 10:
            direct.append(d.first_token * 1000)
            through.append(t.first_token * 1000)
    print(f"first token, idle, {IDLE_CALLS} calls each")
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        d_ms, t_ms = percentile(direct, share), percentile(through, share)
        cost = t_ms - d_ms
        print(f"  {name}: direct {d_ms:.2f} ms   Locum {t_ms:.2f} ms   cost {cost:.2f} ms   ratio {t_ms / d_ms:.1f}")


async def many_streams(bench: Bench) -> None:
    """STREAMS streams at once of TOKENS tokens, first direct, then through Locum."""
    assistant = await bench.assistant(SLOW)
    threads = [await bench.thread() for _ in range(STREAMS)]
    begun = time.perf_counter()
    await asyncio.gather(*(bench.direct(SLOW) for _ in range(STREAMS)))
    direct = time.perf_counter() - begun
    watch = asyncio.create_task(watch_memory(bench.locum))
    begun = time.perf_counter()
    timings = await asyncio.gather(*(bench.through_locum(assistant, thread) for thread in threads))
    through = time.perf_counter() - begun
    watch.cancel()
    print(f"{STREAMS} streams at once of {TOKENS} tokens at {TOKEN_SECONDS * 1000:.0f} ms")
    print(f"  direct {direct:.2f} s   Locum {through:.2f} s   ratio {through / direct:.2f}")
    print(f"  first token through Locum, median {statistics.median(t.first_token for t in timings) * 1000:.0f} ms")
    for name, peak in PEAKS.items():
        print(f"  {name}: at most {peak / 2**20:.0f} MB resident")


PEAKS: dict[str, int] = {}


async def watch_memory(locum: Locum) -> None:
    """Notes the highest resident memory of the API's and the worker's processes until cancelled."""
    while True:
        for name in ("api", "worker"):
            process = psutil.Process(locum.processes[name].pid)
            resident = sum(part.memory_info().rss for part in [process, *process.children(recursive=True)])
            PEAKS[name] = max(PEAKS.get(name, 0), resident)
        await asyncio.sleep(0.1)


async def runs_per_minute(bench: Bench) -> None:
    """RUNS one-token runs, RUNS_AT_ONCE at a time."""
    assistant = await bench.assistant(ONE_TOKEN)
    gate = asyncio.Semaphore(RUNS_AT_ONCE)

    async def one() -> None:
        async with gate:
            body = {
                "assistant_id": assistant,
                "thread": {"messages": [{"role": "user", "content": "Hi"}]},
                "stream": True,
            }
            await time_stream(bench.session, f"{bench.locum.base_url}/threads/runs", body, _LOCUM_MARK)

    async def one_direct() -> None:
        async with gate:
            await bench.direct(ONE_TOKEN)

    begun = time.perf_counter()
    await asyncio.gather(*(one_direct() for _ in range(RUNS)))
    direct = time.perf_counter() - begun
    begun = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(RUNS)))
    through = time.perf_counter() - begun
    print(f"{RUNS} one-token runs, {RUNS_AT_ONCE} at a time, one worker process")
    d_rate, t_rate = RUNS / direct * 60, RUNS / through * 60
    print(f"  direct {d_rate:,.0f} a minute   Locum {t_rate:,.0f} a minute   ratio {through / direct:.1f}")


async def long_threads(bench: Bench) -> None:
    """The same run on a long and on a short thread, alternately; the answers are deleted with nothing else changed."""
    assistant = await bench.assistant(ONE_TOKEN)
    short, long = await bench.thread(SHORT_THREAD), await bench.thread(LONG_THREAD)
    strategy = {"type": "last_messages", "last_messages": 10}
    costs: dict[str, list[float]] = {short: [], long: []}
    for _ in range(60):
        for thread, seconds in costs.items():
            timing = await bench.through_locum(assistant, thread, truncation_strategy=strategy)
            seconds.append(timing.end * 1000)
    short_ms, long_ms = (statistics.median(seconds[10:]) for seconds in costs.values())
    print(f"a run on a thread of {LONG_THREAD:,} messages and of {SHORT_THREAD}, truncation last_messages")
    print(f"  {long_ms:.1f} ms and {short_ms:.1f} ms   ratio {long_ms / short_ms:.2f}")


@contextmanager
def scripted_backend() -> Iterator[str]:
    """The base URL of a scripted backend in a process of its own."""
    port = free_port()
    command = [sys.executable, "-m", "tests.fakes.completion_backend", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(10)


async def script(session: aiohttp.ClientSession, origin: str) -> None:
    """Says what the models of the benchmarks answer, every time."""
    slow = {"text": ["word "] * TOKENS, "delay": TOKEN_SECONDS, "usage": [10, TOKENS]}
    for model, turn in ((ONE_TOKEN, {"text": ["word"], "usage": [10, 1]}), (SLOW, slow)):
        async with session.put(f"{origin}/scripts/{model}?repeat=1", json=[turn]) as response:
            response.raise_for_status()


async def measure(direct_url: str, locum: Locum) -> None:
    """All figures, one after the other."""
    headers = {"Authorization": f"Bearer {locum.api_key}", "OpenAI-Beta": "assistants=v2"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        headers=headers, connector=connector, timeout=aiohttp.ClientTimeout(120)
    ) as session:
        await script(session, direct_url.removesuffix("/v1"))
        bench = Bench(session, direct_url, locum)
        for part in (first_token_when_idle, many_streams, runs_per_minute, long_threads):
            await part(bench)


def main() -> None:
    """Starts everything, measures, stops everything."""
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
    with tempfile.TemporaryDirectory(prefix="locum-bench-") as name, scripted_backend() as direct_url:
        folder = Path(name)
        (folder / "stack").mkdir()
        (folder / "locum").mkdir()
        settings = {"LOCUM_LOG_LEVEL": "warning", "LOCUM_RUN_LEASE_SECONDS": "10", "LOCUM_SWEEP_SECONDS": "2"}
        settings["LOCUM_WORKER_CONCURRENCY"] = "256"
        with run_stack(folder / "stack") as stack, run_locum(stack, direct_url, folder / "locum", **settings) as locum:
            asyncio.run(measure(direct_url, locum))


if __name__ == "__main__":
    main()
