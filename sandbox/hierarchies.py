"""Where control groups can be made: the hierarchies that are mounted here, and the host's own place in them.

`unified` and `separate` give candidates for versions 2 and 1: folders, with the controllers that each can limit by.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox import delegation

WANTED: Final = ("memory", "pids", "cpu")

Bases = dict[Path, tuple[str, ...]]


@dataclass(frozen=True)
class Mount:
    """A hierarchy: where it is mounted, what part of it, and its controllers; version 2 has `None`."""

    point: Path
    root: str
    controllers: frozenset[str] | None

    def folder(self, path: str) -> Path:
        """Where the group `path` of the hierarchy is."""
        inner = path.removeprefix(self.root) if self.root != "/" else path
        return self.point / inner.lstrip("/")


def mounts(mountinfo: str) -> Iterator[Mount]:
    """Reads /proc/self/mountinfo."""
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.split(" ", 2)
        root, point = fields.split()[3:5]
        if kind == "cgroup2":
            yield Mount(Path(point), root, None)
        elif kind == "cgroup":
            yield Mount(Path(point), root, frozenset(options.split(",")))


def own_groups(text: str) -> dict[str, str]:
    """Reads /proc/self/cgroup: our own group by controller; that of version 2 by the empty name."""
    own = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        own.update(dict.fromkeys(controllers.split(","), path))
    return own


def own_folders(controller: str) -> Iterator[Path]:
    """Where the limits of the controller on this process may be: its own group, and all those above, as far as seen."""
    own = own_groups(Path("/proc/self/cgroup").read_text())
    for mount in mounts(Path("/proc/self/mountinfo").read_text()):
        name = "" if mount.controllers is None else controller
        if name in own and (mount.controllers is None or controller in mount.controllers):
            folder = mount.folder(own[name])
            yield from (above for above in (folder, *folder.parents) if above.is_relative_to(mount.point))


def unified(mounted: list[Mount], own: dict[str, str]) -> Iterator[Bases]:
    """In the group that we were given, and at the top, which is for root."""
    for mount in (mount for mount in mounted if mount.controllers is None and "" in own):
        given = delegation.group_of(mount.folder(own[""]), mount.point)
        top = (mount.point,) if os.access(mount.point, os.W_OK) else ()
        for base in dict.fromkeys((given, *top)):
            with contextlib.suppress(OSError):
                there = (base / "cgroup.controllers").read_text().split()
                if "memory" in there:
                    yield {base: tuple(name for name in WANTED if name in there)}


def separate(mounted: list[Mount], own: dict[str, str]) -> Iterator[Bases]:
    """Below our own groups."""
    bases: Bases = {}
    for controller in WANTED:
        for mount in mounted:
            if controller in (mount.controllers or ()) and controller in own:
                base = mount.folder(own[controller])
                bases[base] = (*bases.get(base, ()), controller)
                break
    if any("memory" in controllers for controllers in bases.values()):
        yield bases
