"""A small file read by a confined process against the same readers called at once: `python -m benchmarks.parsing`."""

import asyncio
import statistics
import time
from pathlib import Path
from typing import Final

import psutil

from app.settings import Settings
from benchmarks.figures import percentile
from workers.ingestion import control, readers
from workers.ingestion.parsing import Parser
from workers.ingestion.reading import read

_KINDS: Final = ("text", "html", "docx", "pdf", "xlsx", "pptx")
_TIMES: Final = 100


async def main() -> None:
    """Prints for each kind what a file costs either way, one after the other in turn, and the memory of what waits."""
    readers.prepare()
    parser = Parser(Settings())
    try:
        begun = time.perf_counter()
        print(f"what confines: {await parser.start()}")
        print(f"  the warm process is there after {1000 * (time.perf_counter() - begun):.0f} ms")
        for kind in _KINDS:
            await _compare(parser, kind)
        for process in psutil.Process().children(recursive=True):
            memory = process.memory_full_info()
            print(f"  process {process.pid}: {memory.rss / 2**20:.0f} MB resident, {memory.uss / 2**20:.0f} MB its own")
    finally:
        parser.close()


async def _compare(parser: Parser, kind: str) -> None:
    path = Path(control.__file__).parent / "control_files" / f"owls.{kind}"
    (server,) = (process for process in psutil.Process().children(recursive=True) if not process.children())
    used = _cpu(server)
    at_once: list[float] = []
    confined: list[float] = []
    for _ in range(_TIMES):
        begun = time.perf_counter()
        read(path.read_bytes(), kind)
        between = time.perf_counter()
        await parser.parse(path, kind)
        at_once.append(1000 * (between - begun))
        confined.append(1000 * (time.perf_counter() - between))
    more = [late - early for late, early in zip(confined, at_once, strict=True)]
    print(
        f"  {kind:5} read at once {statistics.median(at_once):.1f} ms, confined {statistics.median(confined):.1f} ms:"
        f" {statistics.median(more):.1f} ms more (p95 {percentile(more, 0.95):.1f}; least {min(more):.1f});"
        f" {1000 * (_cpu(server) - used) / _TIMES:.1f} ms of processor time in the processes"
    )


def _cpu(server: psutil.Process) -> float:
    times = server.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


if __name__ == "__main__":
    asyncio.run(main())
