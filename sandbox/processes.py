"""What the processes of a sandbox use, seen from outside: those of one namespace of processes."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_DELETED: Final = " (deleted)"


@dataclass(frozen=True)
class Load:
    """Of all processes of a sandbox together."""

    processes: int
    memory_bytes: int
    hidden_bytes: int
    """Of files that have been removed, and are still open."""


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


def load(pids: list[int], most_memory: int, folder: Path) -> Load:
    """What these processes use; `folder` is the one in which their removed files count."""
    # A page that several have is counted for each here, and only where that is too much for its share.
    memory = sum(_resident(pid) for pid in pids)
    if memory > most_memory:
        memory = sum(_proportional(pid) for pid in pids)
    return Load(len(pids), memory, _hidden(pids, folder))


def _resident(pid: int) -> int:
    return _sum_of(pid, "status", ("RssAnon:", "RssShmem:"))


def _proportional(pid: int) -> int:
    return _sum_of(pid, "smaps_rollup", ("Pss_Anon:", "Pss_Shmem:", "SwapPss:"))


def _sum_of(pid: int, name: str, fields: tuple[str, ...]) -> int:
    try:
        lines = (_PROC / str(pid) / name).read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(fields))


def _hidden(pids: list[int], folder: Path) -> int:
    device = folder.stat().st_dev
    sizes: dict[int, int] = {}
    for info in (info for pid in pids for info in _removed_files(pid)):
        if info.st_dev == device:
            sizes[info.st_ino] = info.st_blocks * 512
    return sum(sizes.values())


def _removed_files(pid: int) -> Iterator[os.stat_result]:
    for kind in ("fd", "map_files"):
        try:
            entries = list(os.scandir(f"/proc/{pid}/{kind}"))
        except OSError:
            continue
        for entry in entries:
            try:
                if str(Path(entry).readlink()).endswith(_DELETED):
                    yield Path(entry).stat()
            except OSError:
                continue
