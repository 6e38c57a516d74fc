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
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.errors import BadPath, FileMissing, NoSpace
from sandbox.folder import SessionFolder
from sandbox.limits import Limits, megabytes

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: Without O_NONBLOCK, the opening of a pipe would wait for its writer.
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DEEPEST: Final = 32
_LONGEST_NAME: Final = 255
_PIECE: Final = 2**21


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
class Usage:
    """What lies in the folder: bytes on the disk, and files and folders."""

    bytes: int
    entries: int


class Files:
    """The files of one session."""

    def __init__(self, folder: SessionFolder, limits: Limits) -> None:
        self._folder = folder
        self._limits = limits
        #: The files that names were given to by `link`, by name.
        self._linked: dict[str, int] = {}

    async def entries(self) -> list[FileEntry]:
        """All regular files, by path. What lies too deep is left out."""
        return await asyncio.to_thread(self._list)

    async def usage(self) -> Usage:
        """How much there is of them; no more is counted than one beyond what is allowed."""
        return await asyncio.to_thread(self._usage)

    async def put(self, path: str, data: AsyncIterable[bytes], announced: int = 0) -> FileEntry:
        """Writes a file, whole or not at all. Raises BadPath, and NoSpace: at once, if the size was announced."""
        parts = _parts(path)
        used = await self.usage()
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
        """Removes what was written last until the rest may stay; tells how many entries went."""
        return await asyncio.to_thread(self._trim)

    def _list(self) -> list[FileEntry]:
        with self._root() as root:
            found = [FileEntry.of(path, info) for path, info in _walk(root) if stat.S_ISREG(info.st_mode)]
        return sorted(found, key=lambda entry: entry.path)

    def _usage(self) -> Usage:
        size = entries = 0
        with self._root() as root:
            for _, info in _walk(root):
                size += info.st_blocks * 512
                entries += 1
                if entries > self._limits.files or size > self._limits.disk_bytes:
                    break
        return Usage(size, entries)

    def _trim(self) -> int:
        removed = 0
        with self._root() as root:
            found = sorted(_walk(root), key=lambda one: one[1].st_ctime_ns)
            size = 0
            for entries, (path, info) in enumerate(found, start=1):
                size += info.st_blocks * 512
                if size > self._limits.disk_bytes or entries > self._limits.files:
                    removed += 1
                    with contextlib.suppress(OSError, FileMissing), self._parent(path.split("/")) as (parent, name):
                        (os.rmdir if stat.S_ISDIR(info.st_mode) else os.unlink)(name, dir_fd=parent)
        return removed

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
        root = os.open(self._folder.data, _FOLDER)
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
            return os.open(part, _FOLDER, dir_fd=current)
        except FileNotFoundError:
            if not make:
                raise FileMissing(f"There is no folder {part}.") from None
        except OSError:
            # A link, or a file.
            error = BadPath if make else FileMissing
            raise error(f"{part} is no folder.") from None
        os.mkdir(part, 0o700, dir_fd=current)
        inner = os.open(part, _FOLDER, dir_fd=current)
        if self._folder.is_ours:
            os.fchown(inner, self._folder.uid, self._folder.uid)
        return inner


def _parts(path: str) -> list[str]:
    parts = path.split("/")
    wrong = any(part in ("", ".", "..") or len(os.fsencode(part)) > _LONGEST_NAME for part in parts)
    if wrong or "\0" in path or len(parts) > _DEEPEST:
        raise BadPath("The path must name a file below /mnt/data, relative to it, without '.', '..' or empty parts.")
    return parts


def _found(name: str, folder: int) -> os.stat_result | None:
    """What has the name in an open folder, itself and not what it leads to; None where there is nothing."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return None


def _walk(folder: int, prefix: str = "", depth: int = 1) -> Iterator[tuple[str, os.stat_result]]:
    """All that is below an open folder, each with its path; folders come before what is in them."""
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                info = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            yield f"{prefix}{entry.name}", info
            if stat.S_ISDIR(info.st_mode) and depth < _DEEPEST:
                yield from _below(folder, entry.name, f"{prefix}{entry.name}/", depth)


def _below(folder: int, name: str, prefix: str, depth: int) -> Iterator[tuple[str, os.stat_result]]:
    inner = _enter(folder, name)
    if inner is None:
        return
    try:
        yield from _walk(inner, prefix, depth + 1)
    finally:
        os.close(inner)


def _enter(folder: int, name: str) -> int | None:
    """Opens a folder, also one that its owner has closed to himself, which is no place to hide from being counted."""
    try:
        return os.open(name, _FOLDER, dir_fd=folder)
    except PermissionError:
        pass
    except OSError:
        return None
    try:
        closed = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            # The descriptor is that of the folder itself: no link is followed on the way.
            Path(f"/proc/self/fd/{closed}").chmod(0o700)
        finally:
            os.close(closed)
        return os.open(name, _FOLDER, dir_fd=folder)
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
