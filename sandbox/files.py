"""The files of a session, as clients see them: names below /mnt/data, as they are on this machine in `data`.

Code can make links, pipes and trees there, and change them while we look. So every step of a path is opened relative to
the one before and never through a link; only regular files are read; and a file that is written comes in whole, from
outside, over whatever had its name.
"""

import asyncio
import contextlib
import errno
import os
import secrets
import stat
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.budget import Budget, TooMuchToSee
from sandbox.errors import BadPath, FileMissing, NoSpace
from sandbox.folder import SessionFolder
from sandbox.limits import Limits, megabytes
from sandbox.tree import FOLDER, LONGEST_PATH, LostTheWay, walk
from sandbox.usage import Most, Usage, measured, trimmed

#: Without O_NONBLOCK, the opening of a pipe would wait for its writer.
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LONGEST_NAME: Final = 255
_PIECE: Final = 2**21
#: The kernel's own: five sockets, and what it connects by; and the folders themselves.
_OWN_ENTRIES: Final = 8
_OWN_BYTES: Final = 2**16
#: Of processor time, for a look at all that there is.
_LOOK_SECONDS: Final = 1.0
#: What takes long with a session of many files keeps no other waiting.
_TRIMMERS: Final = ThreadPoolExecutor(2, "trim")


@dataclass(frozen=True)
class FileEntry:
    """A regular file. `version` changes whenever its content may have."""

    path: str
    size: int
    modified: float
    version: str

    @classmethod
    def of(cls, path: str, found: os.stat_result) -> "FileEntry":
        """From what stat says. The time of change is the one that code cannot set."""
        version = f"{found.st_ino:x}-{found.st_ctime_ns:x}-{found.st_size:x}"
        return cls(path, found.st_size, found.st_mtime, version)


@dataclass(frozen=True)
class Listing:
    """The regular files, by path, and how many there are besides: with paths that nobody can name, or too many."""

    files: list[FileEntry]
    left_out: int


class Files:
    """The files of one session."""

    def __init__(self, folder: SessionFolder, limits: Limits) -> None:
        self._folder = folder
        self._limits = limits
        self._most = Most(limits.disk_bytes, limits.files)
        self._most_with_sockets = Most(limits.disk_bytes + _OWN_BYTES, limits.files + _OWN_ENTRIES)
        #: The files that names were given to by `link`, by name.
        self._linked: dict[str, int] = {}

    async def entries(self) -> Listing:
        """All regular files."""
        return await asyncio.to_thread(self._list)

    def usage(self, budget: Budget) -> Usage:
        """What code has made on the disk, also in the folder of its sockets; no more than one beyond what is allowed.

        Takes a while: to be called in a thread. Raises TooMuchToSee.
        """
        return measured([self._folder.data, self._folder.sockets], self._most_with_sockets, budget)

    def is_too_much(self, used: Usage) -> bool:
        """Whether it is more than is allowed."""
        return self._most_with_sockets.is_passed_by(used)

    async def put(self, path: str, data: AsyncIterable[bytes], announced: int = 0) -> FileEntry:
        """Writes a file, whole or not at all. Raises BadPath, and NoSpace: at once, if the size was announced."""
        parts = _parts(path)
        try:
            used = await asyncio.to_thread(lambda: self.usage(Budget(_LOOK_SECONDS)))
        except TooMuchToSee:
            raise NoSpace("There is more in /mnt/data than can be looked at.") from None
        room = min(self._limits.file_bytes, self._limits.disk_bytes - used.bytes)
        if used.entries >= self._limits.files:
            raise NoSpace(f"There are {used.entries} files in /mnt/data already.")
        _check_room(announced, room)
        staged = self._folder.staging / secrets.token_hex(16)
        try:
            await _write(staged, data, room)
            return await asyncio.to_thread(self._place, staged, parts)
        finally:
            staged.unlink(missing_ok=True)

    async def link(self, source: str, name: str) -> bool:
        """Gives the file `source` a second name; tells whether it has it now. Raises BadPath, FileMissing, NoSpace.

        What code has put there stays; what was linked there before is replaced.
        """
        return await asyncio.to_thread(self._link, _parts(source), _parts(name))

    async def open(self, path: str) -> tuple[FileEntry, AsyncIterator[bytes]]:
        """A file and its bytes, as they are now. Raises BadPath, FileMissing."""
        descriptor, entry = await asyncio.to_thread(self._open, _parts(path))
        return entry, _read(descriptor, entry.size)

    async def delete(self, path: str) -> None:
        """Removes a file. Raises BadPath, FileMissing."""
        await asyncio.to_thread(self._delete, _parts(path))

    async def trim(self) -> int:
        """Removes what was written last until the rest may stay; tells how many went. Nothing may run inside."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(_TRIMMERS, trimmed, self._folder.data, self._most)

    def _list(self) -> Listing:
        found: list[FileEntry] = []
        left_out = 0
        budget = Budget(_LOOK_SECONDS)
        with self._root() as root, contextlib.suppress(TooMuchToSee, LostTheWay):
            for node in walk(root, budget.spend):
                if not stat.S_ISREG(node.info.st_mode):
                    continue
                if node.path is None or len(found) >= self._limits.files:
                    left_out += 1
                else:
                    found.append(FileEntry.of(node.path, node.info))
        return Listing(sorted(found, key=lambda entry: entry.path), left_out)

    def _place(self, staged: Path, parts: list[str]) -> FileEntry:
        if self._folder.is_ours:
            os.chown(staged, self._folder.uid, self._folder.uid)
        with self._parent(parts, make=True) as (parent, name):
            try:
                os.rename(staged, name, dst_dir_fd=parent)
                return FileEntry.of("/".join(parts), os.stat(name, dir_fd=parent, follow_symlinks=False))
            except (IsADirectoryError, NotADirectoryError):
                raise BadPath(f"There is a folder at {'/'.join(parts)}.") from None
            except OSError as error:
                raise _no_space(error) from None

    def _link(self, source: list[str], target: list[str]) -> bool:
        path = "/".join(target)
        with self._parent(source) as (folder, found), self._parent(target, make=True) as (parent, name):
            file, there = _found(found, folder), _found(name, parent)
            if file is None or not stat.S_ISREG(file.st_mode):
                raise FileMissing(f"There is no file {'/'.join(source)}.")
            if there is not None and there.st_ino not in (file.st_ino, self._linked.get(path)):
                return False
            if there is None or there.st_ino != file.st_ino:
                aside = self._folder.staging / secrets.token_hex(16)
                try:
                    os.link(found, aside, src_dir_fd=folder, follow_symlinks=False)
                    os.rename(aside, name, dst_dir_fd=parent)
                except OSError as error:
                    aside.unlink(missing_ok=True)
                    raise _no_space(error) from None
            self._linked[path] = file.st_ino
        return True

    def _open(self, parts: list[str]) -> tuple[int, FileEntry]:
        path = "/".join(parts)
        with self._parent(parts) as (parent, name):
            try:
                descriptor = os.open(name, _FILE, dir_fd=parent)
            except OSError:
                raise FileMissing(f"There is no file {path}.") from None
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            os.close(descriptor)
            raise FileMissing(f"{path} is no regular file.")
        return descriptor, FileEntry.of(path, info)

    def _delete(self, parts: list[str]) -> None:
        with self._parent(parts) as (parent, name):
            try:
                os.unlink(name, dir_fd=parent)
            except OSError:
                raise FileMissing(f"There is no file {'/'.join(parts)}.") from None

    @contextlib.contextmanager
    def _root(self) -> Iterator[int]:
        root = os.open(self._folder.data, FOLDER)
        try:
            yield root
        finally:
            os.close(root)

    @contextlib.contextmanager
    def _parent(self, parts: list[str], *, make: bool = False) -> Iterator[tuple[int, str]]:
        """The folder that holds the last part, open, and that part's name. Raises FileMissing, BadPath."""
        with self._root() as root:
            current = os.dup(root)
            try:
                for part in parts[:-1]:
                    inner = self._step(current, part, make=make)
                    os.close(current)
                    current = inner
                yield current, parts[-1]
            finally:
                os.close(current)

    def _step(self, current: int, part: str, *, make: bool) -> int:
        try:
            return os.open(part, FOLDER, dir_fd=current)
        except FileNotFoundError:
            if not make:
                raise FileMissing(f"There is no folder {part}.") from None
        except OSError:
            # A link, or a file.
            error = BadPath if make else FileMissing
            raise error(f"{part} is no folder.") from None
        os.mkdir(part, 0o700, dir_fd=current)
        inner = os.open(part, FOLDER, dir_fd=current)
        if self._folder.is_ours:
            os.fchown(inner, self._folder.uid, self._folder.uid)
        return inner


def _parts(path: str) -> list[str]:
    parts = path.split("/")
    wrong = any(part in ("", ".", "..") or len(os.fsencode(part)) > _LONGEST_NAME for part in parts)
    if wrong or "\0" in path or len(os.fsencode(path)) > LONGEST_PATH:
        raise BadPath("The path must name a file below /mnt/data, relative to it, without '.', '..' or empty parts.")
    return parts


def _found(name: str, folder: int) -> os.stat_result | None:
    """What has the name in an open folder, itself and not what it leads to; None where there is nothing."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return None


async def _write(path: Path, data: AsyncIterable[bytes], room: int) -> None:
    descriptor = os.open(path, _NEW, 0o600)
    try:
        written = 0
        async for pieces in _gathered(data):
            written += sum(map(len, pieces))
            _check_room(written, room)
            await asyncio.to_thread(_write_all, descriptor, pieces)
    finally:
        os.close(descriptor)


def _check_room(size: int, room: int) -> None:
    if size > room:
        raise NoSpace(f"The file is larger than the {megabytes(max(room, 0))} there is room for.")


def _write_all(descriptor: int, pieces: list[bytes]) -> None:
    try:
        for piece in pieces:
            left = memoryview(piece)
            while left:
                left = left[os.write(descriptor, left) :]
    except OSError as error:
        raise _no_space(error) from None


def _no_space(error: OSError) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENAMETOOLONG):
        return NoSpace(f"The file cannot be written: {error.strerror}.")
    return error


async def _gathered(data: AsyncIterable[bytes]) -> AsyncIterator[list[bytes]]:
    """The same bytes, as many at once as are worth a thread's while."""
    held: list[bytes] = []
    size = 0
    async for piece in data:
        held.append(piece)
        size += len(piece)
        if size >= _PIECE:
            yield held
            held, size = [], 0
    if held:
        yield held


async def _read(descriptor: int, size: int) -> AsyncIterator[bytes]:
    """Exactly `size` bytes, or an OSError where the file has become shorter. Closes the descriptor."""
    try:
        left = size
        while left:
            piece = await asyncio.to_thread(os.read, descriptor, min(_PIECE, left))
            if not piece:
                raise OSError(f"the file has become {left} bytes shorter as it was read")
            left -= len(piece)
            yield piece
    finally:
        os.close(descriptor)
