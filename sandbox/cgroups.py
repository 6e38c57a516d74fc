"""A control group for each kernel, where this machine lets us make one: what the kernel of Linux counts, it limits.

    groups, problem = Cgroups.find(limits)      groups is None where there can be none, and `problem` says why
    group = groups.make()
    command = [*group.joining(), *command]      the command joins the group before it begins
    await group.remove()                        once nothing of it runs any more

Version 2 where it has the memory controller, else version 1. What is made lies beside or below the host's own group.
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

from sandbox.limits import Limits

_PREFIX: Final = "locum-sandbox-"
_WANTED: Final = ("memory", "pids", "cpu")
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

    def __init__(self, bases: dict[Path, tuple[str, ...]], limits: Limits, *, unified: bool) -> None:
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
        mounts = list(_mounts(Path("/proc/self/mountinfo").read_text()))
        own = _own(Path("/proc/self/cgroup").read_text())
        reasons = []
        for unified, candidates in ((True, _unified(mounts, own)), (False, _separate(mounts, own))):
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
                _enable(base, controllers)
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


def own_folders(controller: str) -> Iterator[Path]:
    """Where the limits of the controller on this process may be: its own group, and all those above, as far as seen."""
    own = _own(Path("/proc/self/cgroup").read_text())
    for mount in _mounts(Path("/proc/self/mountinfo").read_text()):
        name = "" if mount.controllers is None else controller
        if name in own and (mount.controllers is None or controller in mount.controllers):
            folder = mount.folder(own[name])
            yield from (above for above in (folder, *folder.parents) if above.is_relative_to(mount.point))


@dataclass(frozen=True)
class _Mount:
    """A hierarchy: where it is mounted, what part of it, and its controllers; version 2 has `None`."""

    point: Path
    root: str
    controllers: frozenset[str] | None

    def folder(self, path: str) -> Path:
        """Where the group `path` of the hierarchy is."""
        inner = path.removeprefix(self.root) if self.root != "/" else path
        return self.point / inner.lstrip("/")


def _mounts(mountinfo: str) -> Iterator[_Mount]:
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.split(" ", 2)
        root, point = fields.split()[3:5]
        if kind == "cgroup2":
            yield _Mount(Path(point), root, None)
        elif kind == "cgroup":
            yield _Mount(Path(point), root, frozenset(options.split(",")))


def _own(text: str) -> dict[str, str]:
    """Our own group by controller; that of version 2 by the empty name."""
    own = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        own.update(dict.fromkeys(controllers.split(","), path))
    return own


def _unified(mounts: list[_Mount], own: dict[str, str]) -> Iterator[dict[Path, tuple[str, ...]]]:
    """In our own group, and at the root, which root may use."""
    for mount in (mount for mount in mounts if mount.controllers is None and "" in own):
        for base in dict.fromkeys((mount.folder(own[""]), mount.point)):
            with contextlib.suppress(OSError):
                there = (base / "cgroup.controllers").read_text().split()
                if "memory" in there:
                    yield {base: tuple(name for name in _WANTED if name in there)}


def _separate(mounts: list[_Mount], own: dict[str, str]) -> Iterator[dict[Path, tuple[str, ...]]]:
    bases: dict[Path, tuple[str, ...]] = {}
    for controller in _WANTED:
        for mount in mounts:
            if controller in (mount.controllers or ()) and controller in own:
                base = mount.folder(own[controller])
                bases[base] = (*bases.get(base, ()), controller)
                break
    if any("memory" in controllers for controllers in bases.values()):
        yield bases


def _enable(base: Path, controllers: tuple[str, ...]) -> None:
    """Has the group's children have the controllers: for that it must hold no process itself, but for the root."""
    control = base / "cgroup.subtree_control"
    if set(controllers) <= set(control.read_text().split()):
        return
    members = (base / "cgroup.procs").read_text().split()
    if members == [str(os.getpid())]:
        # It is ours alone, as a service's with Delegate= is.
        inner = base / f"{_PREFIX}host"
        inner.mkdir(exist_ok=True)
        (inner / "cgroup.procs").write_text("0")
    control.write_text(" ".join(f"+{controller}" for controller in controllers))
