"""The file system in a file that older Office documents are ([MS-CFB]): what lies in its topmost folder.

Names are compared without regard to case, as Office does. What is damaged elsewhere in the file is not looked at.
"""

import struct
from dataclasses import dataclass
from typing import Final

SIGNATURE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_HEADER_BYTES: Final = 512
_ENTRY_BYTES: Final = 128
_LAST: Final = 0xFFFFFFFA  # of the numbers of sectors; greater ones have meanings of their own
_STREAM: Final = 2


@dataclass(frozen=True)
class _Entry:
    name: str
    type: int
    left: int
    right: int
    child: int
    start: int
    size: int


class CompoundFile:
    """An opened file. Raises ValueError or struct.error where its tables are broken."""

    def __init__(self, data: bytes) -> None:
        if not data.startswith(SIGNATURE):
            raise ValueError("no compound file")
        self._data = data
        shift, mini_shift = struct.unpack_from("<HH", data, 30)
        if shift not in {9, 12} or mini_shift >= shift:
            raise ValueError("sectors of a strange size")
        self._sector, self._mini_sector = 1 << shift, 1 << mini_shift
        directory, _, self._cutoff, mini_table = struct.unpack_from("<4I", data, 48)
        self._next = self._table()
        self._next_mini = _numbers(self._chain(mini_table))
        # Sizes have 64 bits in files with large sectors alone.
        mask = 0xFFFFFFFF if shift == 9 else 0xFFFFFFFFFFFFFFFF
        self._entries = [
            _entry(raw, mask) for raw in struct.iter_unpack(f"{_ENTRY_BYTES}s", _whole(self._chain(directory)))
        ]
        if not self._entries:
            raise ValueError("no directory")
        self._mini: bytes | None = None
        self._top = self._siblings(self._entries[0].child)

    def names(self) -> set[str]:
        """What the topmost folder has, in lower case."""
        return set(self._top)

    def read(self, name: str) -> bytes:
        """The bytes of a stream. Raises KeyError where there is none of this name, ValueError where it is cut off."""
        entry = self._top[name.lower()]
        if entry.type != _STREAM:
            raise KeyError(name)
        found = self._chain(entry.start) if entry.size >= self._cutoff else self._small(entry.start)
        if len(found) < entry.size:
            raise ValueError("a stream is cut off")
        return found[: entry.size]

    def _small(self, start: int) -> bytes:
        if self._mini is None:
            self._mini = self._chain(self._entries[0].start)
        return _chained(self._mini, start, self._next_mini, self._mini_sector, 0)

    def _chain(self, start: int) -> bytes:
        return _chained(self._data, start, self._next, self._sector, self._sector)

    def _table(self) -> tuple[int, ...]:
        """The number of the sector that follows each."""
        sectors = list(struct.unpack_from("<109I", self._data, 76))
        more, read = struct.unpack_from("<I", self._data, 68)[0], set[int]()
        while more < _LAST and more not in read:
            read.add(more)
            numbers = _numbers(self._data[(more + 1) * self._sector :][: self._sector])
            if not numbers:
                break
            sectors += numbers[:-1]
            more = numbers[-1]
        most = len(self._data) // self._sector // (self._sector // 4) + 1  # that a file of this length has use for
        table = [number for number in sectors if number < _LAST][:most]
        return _numbers(b"".join(self._data[(number + 1) * self._sector :][: self._sector] for number in table))

    def _siblings(self, first: int) -> dict[str, _Entry]:
        """The entries of a folder, which form a tree."""
        found: dict[str, _Entry] = {}
        seen, waiting = set[int](), [first]
        while waiting:
            number = waiting.pop()
            if number < len(self._entries) and number not in seen:
                seen.add(number)
                entry = self._entries[number]
                waiting += (entry.left, entry.right)
                found[entry.name.lower()] = entry
        return found


def _entry(raw: tuple[bytes], mask: int) -> _Entry:
    data = raw[0]
    length, type_ = struct.unpack_from("<HB", data, 64)
    left, right, child = struct.unpack_from("<3I", data, 68)
    start, size = struct.unpack_from("<IQ", data, 116)
    name = data[: max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
    return _Entry(name, type_, left, right, child, start, size & mask)


def _chained(data: bytes, start: int, following: tuple[int, ...], size: int, offset: int) -> bytes:
    """The sectors of a chain, to its end or to where it breaks."""
    parts, seen = [], set[int]()
    while start < len(following) and start not in seen:
        seen.add(start)
        place = offset + start * size
        parts.append(data[place : place + size])
        start = following[start]
    return b"".join(parts)


def _numbers(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // 4}I", data[: len(data) // 4 * 4])


def names_in(data: bytes) -> set[str]:
    """What the topmost folder of a file has, in lower case; nothing where it is no such file, or broken."""
    try:
        return CompoundFile(data).names()
    except (ValueError, struct.error):
        return set()


def _whole(data: bytes) -> bytes:
    return data[: len(data) // _ENTRY_BYTES * _ENTRY_BYTES]
