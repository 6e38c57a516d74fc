"""What a session costs the machine, seen from outside while its code runs: by Linux's accounts of its processes, and by
its folder on the disk. Nothing here asks the sandbox host.

Its processes are those of the namespace that its code names: of bubblewrap, and of a container alike.
"""

import asyncio
import contextlib
import os
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.sandbox.hosts import Host, run
from workers.sandbox import SandboxSession

_EVERY_SECONDS: Final = 0.1
_TICK: Final = os.sysconf("SC_CLK_TCK")
#: Where what lies there lies in memory.
_IN_MEMORY: Final = ("tmp", "dev/shm", "home/sandbox")


@dataclass
class Costs:
    """The most that was seen at once. `cpus`: processor time by the clock, from the beginning to the last sight."""

    memory_bytes: int = 0
    processes: int = 0
    disk_bytes: int = 0
    files: int = 0
    cpus: float = 0
    sights: int = 0
    began: float = field(default_factory=time.monotonic)
    _before: float = -1
    _spent: float = 0

    def see(self, namespace: str, folder: Path) -> None:
        """Looks once."""
        pids = [pid for pid in _pids() if _link(pid, "ns/pid") == namespace]
        if not pids:
            return
        self.sights += 1
        self.processes = max(self.processes, len(pids))
        self.memory_bytes = max(self.memory_bytes, _memory(pids))
        size, names = _on_disk(folder)
        self.disk_bytes = max(self.disk_bytes, size + _removed(pids, folder))
        self.files = max(self.files, names)
        spent = max(self._spent, _processor(pids))
        if self._before < 0:
            self._before, self.began = spent, time.monotonic()
        elif (elapsed := time.monotonic() - self.began) > 1:
            self.cpus = max(self.cpus, (spent - self._before) / elapsed)
        self._spent = spent


@contextlib.asynccontextmanager
async def measured(host: Host, session: SandboxSession) -> AsyncIterator[Costs]:
    """Looks at what the session costs for the block."""
    told = await run(session, "import os\nprint(os.readlink('/proc/self/ns/pid'))\nopen('mark', 'w').close()")
    namespace = told.stdout.strip()
    assert namespace.startswith("pid:["), told
    folder = await asyncio.to_thread(_folder_of, host, namespace)
    costs = Costs()

    async def watch() -> None:
        while True:
            await asyncio.to_thread(costs.see, namespace, folder)
            await asyncio.sleep(_EVERY_SECONDS)

    task = asyncio.create_task(watch())
    try:
        yield costs
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert costs.sights, "nothing was seen of the session"


def _folder_of(host: Host, namespace: str) -> Path:
    """The folder of the session that has the namespace: the one that its /mnt/data is."""
    pid = max(pid for pid in _pids() if _link(pid, "ns/pid") == namespace)
    data = Path(f"/proc/{pid}/root/mnt/data").stat()
    folders = (host.folder / "sandbox" / "sessions").iterdir()
    return next(folder for folder in folders if (folder / "data").stat().st_ino == data.st_ino)


def _pids() -> list[int]:
    return [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdecimal()]


def _link(pid: int, name: str) -> str:
    with contextlib.suppress(OSError):
        return str(Path(f"/proc/{pid}/{name}").readlink())
    return ""


def _memory(pids: list[int]) -> int:
    """By the control group that was made for the session where there is one, else by the sum of what each has."""
    if (group := _group(pids[-1])) is not None:
        for name in ("memory.peak", "memory.max_usage_in_bytes", "memory.current"):
            with contextlib.suppress(OSError):
                return int((group / name).read_text())
    total = sum(_fields(pid, "smaps_rollup", ("Pss_Anon:", "Pss_Shmem:", "SwapPss:")) for pid in pids)
    total += sum(_fields(pid, "status", ("VmPTE:",)) for pid in pids)
    with contextlib.suppress(OSError):
        for found in [os.statvfs(f"/proc/{pids[-1]}/root/{name}") for name in _IN_MEMORY]:
            total += (found.f_blocks - found.f_bfree) * found.f_frsize
    return total


def _group(pid: int) -> Path | None:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if ("locum-sandbox-" in path or "docker" in path) and controllers in {"", "memory"}:
                return Path("/sys/fs/cgroup", controllers, path.lstrip("/"))
    return None


def _fields(pid: int, name: str, wanted: tuple[str, ...]) -> int:
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/{name}").read_text().splitlines()
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(wanted))
    return 0


def _on_disk(folder: Path) -> tuple[int, int]:
    """Bytes and names. `du` goes down any depth."""
    said = [
        subprocess.run(["du", "-s", *how, str(folder)], capture_output=True, text=True, check=False).stdout.split()
        for how in (("--block-size=1",), ("--inodes",))
    ]
    size, names = (int(words[0]) if words else 0 for words in said)
    return size, names


def _removed(pids: list[int], folder: Path) -> int:
    sizes: dict[int, int] = {}
    with contextlib.suppress(OSError):
        device = folder.stat().st_dev
        for pid in pids:
            for entry in os.scandir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    info = Path(entry).stat()
                    if info.st_dev == device and info.st_nlink == 0:
                        sizes[info.st_ino] = info.st_blocks * 512
    return sum(sizes.values())


def _processor(pids: list[int]) -> float:
    """Seconds, of those that have ended and been waited for too."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / _TICK
