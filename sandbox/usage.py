"""What a session has on the disk, counted over all folders that its code can write to there; and its trimming."""

import contextlib
import heapq
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.budget import Budget, TooMuchToSee
from sandbox.tree import FOLDER, LostTheWay, Node, walk

_TRIES: Final = 3
_BLOCK: Final = 512


@dataclass(frozen=True)
class Usage:
    """Bytes on the disk, and files, folders and whatever else has a name."""

    bytes: int
    entries: int


@dataclass(frozen=True)
class Most:
    """What there may be."""

    bytes: int
    entries: int

    def is_passed_by(self, used: Usage) -> bool:
        """Whether there is more."""
        return used.bytes > self.bytes or used.entries > self.entries


def measured(folders: list[Path], most: Most, budget: Budget) -> Usage:
    """What is in the folders; no more is counted than one beyond what there may be.

    Raises TooMuchToSee where the budget is used up before, or folders are moved again and again.
    """
    for _ in range(_TRIES):
        with contextlib.suppress(LostTheWay):
            return _measured(folders, most, budget)
    raise TooMuchToSee


def _measured(folders: list[Path], most: Most, budget: Budget) -> Usage:
    used = Usage(0, 0)
    several: set[int] = set()
    for folder in filter(Path.is_dir, folders):
        with contextlib.suppress(FileNotFoundError), _opened(folder) as root:
            # A folder in which much has been made and removed stays large.
            used = Usage(used.bytes + os.fstat(root).st_blocks * _BLOCK, used.entries)
            for node in walk(root, budget.spend):
                size = _size(node)
                if node.info.st_nlink > 1 and not node.is_folder:
                    size = 0 if node.info.st_ino in several else size
                    several.add(node.info.st_ino)
                used = Usage(used.bytes + size, used.entries + 1)
                if most.is_passed_by(used):
                    return used
    return used


def trimmed(folder: Path, most: Most) -> int:
    """Removes what was written last until the rest may stay; returns how many entries went. Nothing may write there."""
    with _opened(folder) as root:
        kept = _kept(root, most)
        removed = 0

        def leave(parent: int, name: str) -> None:
            nonlocal removed
            if _inode(parent, name) not in kept:
                with contextlib.suppress(OSError):
                    os.rmdir(name, dir_fd=parent)
                    removed += 1

        for node in walk(root, leave=leave):
            if not node.is_folder and node.info.st_ino not in kept:
                with contextlib.suppress(OSError):
                    os.unlink(node.name, dir_fd=node.parent)
                    removed += 1
    return removed


def _kept(root: int, most: Most) -> set[int]:
    """The oldest that fit, by inode. The time of change is the one that code cannot set."""
    found = ((node.info.st_ctime_ns, node.info.st_ino, _size(node)) for node in walk(root))
    kept: set[int] = set()
    size = 0
    for _, inode, more in heapq.nsmallest(most.entries, found):
        if inode in kept:
            continue
        size += more
        if size > most.bytes:
            break
        kept.add(inode)
    return kept


def _size(node: Node) -> int:
    return node.info.st_blocks * _BLOCK


def _inode(parent: int, name: str) -> int | None:
    with contextlib.suppress(OSError):
        return os.stat(name, dir_fd=parent, follow_symlinks=False).st_ino
    return None


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    root = os.open(folder, FOLDER)
    try:
        yield root
    finally:
        os.close(root)
