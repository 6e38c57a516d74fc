"""A control group for each kernel, where this machine lets us make one: what the kernel of Linux counts, it limits.

    groups, problem = Cgroups.find(limits)      groups is None where there can be none, and `problem` says why
    group = groups.make()
    command = [*group.joining(), *command]      the command joins the group before it begins
    await group.remove()                        once nothing of it runs any more

Version 2 where it has the memory controller, else version 1. What is made lies beside or below the host's own group.
Which folders those are: hierarchies.py; what may be done with them under systemd: delegation.py.
"""

import asyncio
import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox import delegation, hierarchies
from sandbox.limits import Limits

_PREFIX: Final = "locum-sandbox-"
_PERIOD: Final = 100_000
_REMOVE_TRIES: Final = 50
_REMOVE_SECONDS: Final = 0.1
#: bwrap itself, and the process 1 that it leaves inside.
_NOT_OURS: Final = 2
#: Moves itself into the groups whose files are named before `--`, and becomes what is named behind.
_JOIN: Final = 'while [ "$1" != -- ]; do echo 0 > "$1" || exit 125; shift; done; shift; exec "$@"'


@dataclass(frozen=True)
class Cgroup:
    """One group: a folder of each hierarchy that has a controller."""

    folders: tuple[Path, ...]

    def joining(self) -> list[str]:
        """What comes before a command for it to run in the group."""
        return ["/bin/sh", "-c", _JOIN, "sh", *(str(folder / "cgroup.procs") for folder in self.folders), "--"]

    def was_out_of_memory(self) -> bool:
        """Whether something in it was killed for want of memory."""
        for folder in self.folders:
            for name in ("memory.events", "memory.oom_control"):
                with contextlib.suppress(OSError):
                    if re.search(r"^oom_kill [1-9]", (folder / name).read_text(), re.MULTILINE):
                        return True
        return False

    async def remove(self) -> None:
        """Removes it; a group that is not empty yet is tried again for some seconds, and left to the next host then."""
        for _ in range(_REMOVE_TRIES):
            for folder in self.folders:
                with contextlib.suppress(OSError):
                    folder.rmdir()
            if not any(folder.exists() for folder in self.folders):
                return
            await asyncio.sleep(_REMOVE_SECONDS)


class Cgroups:
    """Makes groups for kernels below `bases`: a folder for each hierarchy, with the controllers that it has."""

    def __init__(self, bases: hierarchies.Bases, limits: Limits, *, unified: bool) -> None:
        self._bases = bases
        self._limits = limits
        self._unified = unified
        self._prefix = f"{_PREFIX}{os.getpid()}-"

    @property
    def version(self) -> int:
        """Of control groups."""
        return 2 if self._unified else 1

    @property
    def controllers(self) -> set[str]:
        """What is limited by them."""
        return {controller for controllers in self._bases.values() for controller in controllers}

    @classmethod
    def find(cls, limits: Limits) -> "tuple[Cgroups | None, str]":
        """The groups that can be made here; None and why where memory cannot be limited by one."""
        mounted = list(hierarchies.mounts(Path("/proc/self/mountinfo").read_text()))
        own = hierarchies.own_groups(Path("/proc/self/cgroup").read_text())
        reasons = []
        found = ((True, hierarchies.unified(mounted, own)), (False, hierarchies.separate(mounted, own)))
        for unified, candidates in found:
            for bases in candidates:
                groups = cls(bases, limits, unified=unified)
                try:
                    groups._try()
                except OSError as error:
                    reasons.append(f"{error.filename or 'cgroup'}: {error.strerror}")
                else:
                    return groups, ""
        return None, "; ".join(dict.fromkeys(reasons)) or "no memory controller is mounted"

    def make(self) -> Cgroup:
        """A new group with the limits of a session. Raises OSError."""
        name = f"{self._prefix}{secrets.token_hex(8)}"
        made = Cgroup(tuple(base / name for base in self._bases))
        try:
            for folder, controllers in zip(made.folders, self._bases.values(), strict=True):
                folder.mkdir()
                for controller in controllers:
                    self._limit(folder, controller)
        except OSError:
            for folder in made.folders:
                with contextlib.suppress(OSError):
                    folder.rmdir()
            raise
        return made

    def _try(self) -> None:
        """Makes a group and removes it, and those that hosts have left which are no more. Raises OSError."""
        if self._unified:
            for base, controllers in self._bases.items():
                delegation.enable(base, controllers)
        for folder in self.make().folders:
            folder.rmdir()
        for base in self._bases:
            for left in base.glob(f"{_PREFIX}*"):
                pid = left.name.removeprefix(_PREFIX).partition("-")[0]
                if not Path("/proc", pid).exists():
                    with contextlib.suppress(OSError):
                        left.rmdir()

    def _limit(self, folder: Path, controller: str) -> None:
        for name, value in self._values(controller):
            # There is no limit of swap where there is no swap.
            if (folder / name).exists() or "sw" not in name:
                (folder / name).write_text(value)

    def _values(self, controller: str) -> Iterator[tuple[str, str]]:
        limits = self._limits
        memory, quota = str(limits.memory_bytes), str(int(min(limits.cpus, os.cpu_count() or 1) * _PERIOD))
        match controller, self._unified:
            case "memory", True:
                yield from (("memory.max", memory), ("memory.swap.max", "0"))
            case "memory", False:
                yield from (("memory.limit_in_bytes", memory), ("memory.memsw.limit_in_bytes", memory))
            case "pids", _:
                yield "pids.max", str(limits.processes + _NOT_OURS)
            case "cpu", True:
                yield "cpu.max", f"{quota} {_PERIOD}"
            case "cpu", False:
                yield from (("cpu.cfs_period_us", str(_PERIOD)), ("cpu.cfs_quota_us", quota))
