"""What the processes of a sandbox use, seen from outside: those of one namespace of processes.

Code decides how much there is to look at, so each look has a budget of processor time. What is cheap is looked at first
(`load`); what is not, only where that says that there is a reason (`shared_load`), or by itself (`hidden_bytes`).
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox import folder as inside
from sandbox.budget import Budget

_PROC: Final = Path("/proc")
_DELETED: Final = " (deleted)"
#: Where what lies there lies in memory.
_IN_MEMORY: Final = ("tmp", "dev/shm", inside.HOME.lstrip("/"))
#: What the kernel of Linux keeps for a file in memory that is empty: its inode, a long name, a link's target.
_INODE_BYTES: Final = 1536
#: The kernel's own sockets, which hold next to nothing.
_OWN_SOCKETS: Final = 96
_WMEM_DEFAULT: Final = 212_992


@dataclass(frozen=True)
class Load:
    """Of all processes of a sandbox together."""

    processes: int
    memory_bytes: int


def by_namespace(wanted: set[int]) -> dict[int, list[int]]:
    """The processes in each of the wanted namespaces."""
    found: dict[int, list[int]] = {namespace: [] for namespace in wanted}
    for entry in os.scandir(_PROC):
        if entry.name.isdecimal():
            try:
                link = str(Path(entry.path, "ns", "pid").readlink())
                namespace = int(link.removeprefix("pid:[").removesuffix("]"))
            except (OSError, ValueError):
                continue
            if namespace in found:
                found[namespace].append(int(entry.name))
    return found


def load(pids: list[int], most_processes: int) -> Load:
    """What these processes use at most: a page that several have is counted for each.

    Of more than `most_processes` nothing but their number is looked at.
    """
    if not pids or len(pids) > most_processes:
        return Load(len(pids), 0)
    own = sum(_sum_of(pid, "status", ("RssAnon:", "RssShmem:", "VmPTE:", "VmSwap:")) for pid in pids)
    return Load(len(pids), own + _common(pids))


def shared_load(pids: list[int], budget: Budget) -> Load:
    """What these processes use, a page that several have being counted once. Raises TooMuchToSee."""
    own = 0
    for pid in pids:
        budget.spend()
        own += _sum_of(pid, "smaps_rollup", ("Pss_Anon:", "Pss_Shmem:", "SwapPss:"))
        own += _sum_of(pid, "status", ("VmPTE:",))
    return Load(len(pids), own + _common(pids))


def hidden_bytes(pids: list[int], folder: Path, budget: Budget) -> int:
    """What removed files take up that are still open, on the disk that `folder` lies on. Raises TooMuchToSee."""
    device = folder.stat().st_dev
    sizes: dict[int, int] = {}
    for info in (info for pid in pids for info in _removed_files(pid, budget)):
        if info.st_dev == device:
            sizes[info.st_ino] = info.st_blocks * 512
    return sum(sizes.values())


def _common(pids: list[int]) -> int:
    """What belongs to no process but to all: files in memory, and buffers of sockets."""
    # Each sees the same; one may just have ended, or have left the folders behind by a chroot that it may not make.
    for pid in pids:
        try:
            return _files_in_memory(pid) + _socket_buffers(pid)
        except (OSError, ValueError, IndexError):
            continue
    return 0


def _files_in_memory(pid: int) -> int:
    total = 0
    for name in _IN_MEMORY:
        found = os.statvfs(_PROC / str(pid) / "root" / name)
        total += (found.f_blocks - found.f_bfree) * found.f_frsize
        total += (found.f_files - found.f_ffree) * _INODE_BYTES
    return total


def _socket_buffers(pid: int) -> int:
    """The most that its sockets can hold: nothing tells how much it is."""
    first = (_PROC / str(pid) / "net" / "sockstat").read_text().splitlines()[0]
    sockets = int(first.split()[2])
    # A sender may double it (socket(7), SO_SNDBUF).
    return max(0, sockets - _OWN_SOCKETS) * 2 * _WMEM_DEFAULT


def _sum_of(pid: int, name: str, fields: tuple[str, ...]) -> int:
    try:
        lines = (_PROC / str(pid) / name).read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(fields))


def _removed_files(pid: int, budget: Budget) -> Iterator[os.stat_result]:
    for kind in ("fd", "map_files"):
        try:
            entries = os.scandir(f"/proc/{pid}/{kind}")
        except OSError:
            continue
        with entries:
            for entry in entries:
                budget.spend()
                try:
                    if str(Path(entry).readlink()).endswith(_DELETED):
                        yield Path(entry).stat()
                except OSError:
                    continue
