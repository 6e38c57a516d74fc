"""Walks of folders that code has made and may change meanwhile: of any depth, without following a link.

However deep a tree is, some folders alone are open at a time. The way up is `..`, and is believed where it leads to the
folder that we came down from.
"""

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: What a path below the root may have in bytes for a program inside to name it: Linux's 4096 without /mnt/data/.
LONGEST_PATH: Final = 4000
_MOST_OPEN: Final = 32


class LostTheWay(Exception):
    """A folder was moved or removed while we were in it."""


@dataclass(frozen=True, slots=True)
class Node:
    """What has a name in a tree. `parent` is open until the next node is asked for; no `path` where it is too long."""

    parent: int
    name: str
    info: os.stat_result
    path: str | None

    @property
    def is_folder(self) -> bool:
        """Whether there may be more below it."""
        return stat.S_ISDIR(self.info.st_mode)


@dataclass(slots=True)
class _Level:
    """A folder on the way down; `descriptor` is -1 while it is not open."""

    descriptor: int
    name: str
    path: str | None
    identity: tuple[int, int]
    inner: list[str] = field(default_factory=list)


def walk(
    root: int, spend: Callable[[], None] = lambda: None, leave: Callable[[int, str], None] = lambda *_: None
) -> Iterator[Node]:
    """All that is below the open folder `root`; a folder comes before what is in it.

    `spend` is called with every step and may raise to end the walk; `leave` with each folder behind which nothing is
    left to see: its parent, open, and its name. Raises LostTheWay.
    """
    levels = [_level(os.dup(root), "", "")]
    try:
        yield from _read(levels[-1], spend)
        while levels:
            if levels[-1].inner:
                name = levels[-1].inner.pop()
                below = enter(levels[-1].descriptor, name)
                if below is not None:
                    levels.append(_level(below, name, _joined(levels[-1].path, name)))
                    _close_upper(levels)
                    yield from _read(levels[-1], spend)
                continue
            level = levels.pop()
            try:
                if levels:
                    _climb(level, levels[-1])
                    leave(levels[-1].descriptor, level.name)
            finally:
                os.close(level.descriptor)
    finally:
        for level in levels:
            if level.descriptor >= 0:
                os.close(level.descriptor)


def _level(descriptor: int, name: str, path: str | None) -> _Level:
    found = os.fstat(descriptor)
    return _Level(descriptor, name, path, (found.st_dev, found.st_ino))


def _read(level: _Level, spend: Callable[[], None]) -> Iterator[Node]:
    with os.scandir(level.descriptor) as entries:
        for entry in entries:
            spend()
            try:
                info = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            node = Node(level.descriptor, entry.name, info, _joined(level.path, entry.name))
            if node.is_folder:
                level.inner.append(entry.name)
            yield node


def _joined(folder: str | None, name: str) -> str | None:
    if folder is None:
        return None
    path = f"{folder}/{name}" if folder else name
    return path if len(os.fsencode(path)) <= LONGEST_PATH else None


def _close_upper(levels: list[_Level]) -> None:
    if len(levels) > _MOST_OPEN and (upper := levels[-_MOST_OPEN - 1]).descriptor >= 0:
        os.close(upper.descriptor)
        upper.descriptor = -1


def _climb(level: _Level, upper: _Level) -> None:
    """Sees to it that the folder above is open."""
    if upper.descriptor >= 0:
        return
    try:
        above = os.open("..", FOLDER, dir_fd=level.descriptor)
    except OSError:
        raise LostTheWay from None
    found = os.fstat(above)
    if (found.st_dev, found.st_ino) != upper.identity:
        os.close(above)
        raise LostTheWay
    upper.descriptor = above


def enter(folder: int, name: str) -> int | None:
    """Opens a folder, also one that its owner has closed to himself, which is no place to hide from being counted."""
    try:
        return os.open(name, FOLDER, dir_fd=folder)
    except PermissionError:
        pass
    except OSError:
        return None
    with contextlib.suppress(OSError):
        closed = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            # The descriptor is that of the folder itself: no link is followed on the way.
            Path(f"/proc/self/fd/{closed}").chmod(0o700)
        finally:
            os.close(closed)
        return os.open(name, FOLDER, dir_fd=folder)
    return None
