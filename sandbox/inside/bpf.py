"""Filters of system calls, written as classic BPF over `struct seccomp_data` (seccomp(2)), and put in force.

The standard library alone. It runs inside a sandbox, and serves every other process that is shut in (app.confinement).
"""

import ctypes
import errno
import struct
from collections.abc import Iterable
from typing import NamedTuple

LOAD, JUMP_EQUAL, JUMP_GREATER_EQUAL, JUMP_BITS, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000

_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
#: x86-64 takes the calls of x32 with this bit.
_X32 = 0x40000000

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2


class Architecture(NamedTuple):
    """How the kernel names an architecture, and the column of its numbers in the table of calls.py."""

    audit: int
    column: int


#: Those that there is a filter for.
ARCHES = {"x86_64": Architecture(0xC000003E, 0), "aarch64": Architecture(0xC00000B7, 1)}


def install(program: bytes | None) -> bool:
    """Puts `program` on this thread for good, and ends the gaining of privileges. Returns whether there is a filter."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if program is None:
        return False
    buffer = ctypes.create_string_buffer(program, len(program))
    filter_of = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    return bool(libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.c_char_p(filter_of), 0, 0) == 0)


def line(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    """One `struct sock_filter`; the jumps are counted from the next line."""
    return struct.pack("HBBI", code, then, otherwise, value)


def argument(place: int) -> int:
    """Where the lower half of an argument of the call lies, the first one's place being 0."""
    return _ARGUMENTS + 8 * place


def head(machine: str) -> list[bytes]:
    """Loads the number of the call, once it is known to be one of `machine`."""
    lines = [
        line(LOAD, _ARCHITECTURE),
        # Calls of another architecture, such as 32-bit ones, have other numbers.
        line(JUMP_EQUAL, ARCHES[machine].audit, then=1),
        line(RETURN, KILL),
        line(LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        lines += [line(JUMP_GREATER_EQUAL, _X32, otherwise=1), line(RETURN, ERRNO | errno.ENOSYS)]
    return lines


def allow(numbers: set[int]) -> list[bytes]:
    """Lets the numbers through, range by range: most calls stand beside others that are allowed."""
    lines = []
    firsts = sorted(number for number in numbers if number - 1 not in numbers)
    lasts = sorted(number for number in numbers if number + 1 not in numbers)
    for first, last in zip(firsts, lasts, strict=True):
        lines += [
            line(JUMP_GREATER_EQUAL, first, otherwise=2),
            line(JUMP_GREATER_EQUAL, last + 1, then=1),
            line(RETURN, ALLOW),
        ]
    return lines


def refuse(numbers: Iterable[int], error: int) -> list[bytes]:
    """Has the calls of these numbers fail with `error`."""
    lines = []
    for number in numbers:
        lines += [line(JUMP_EQUAL, number, otherwise=1), line(RETURN, ERRNO | error)]
    return lines
