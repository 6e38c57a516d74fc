"""A filter of system calls for this process and all it starts: those of calls.py are let through, no others. The
standard library alone; it runs inside, before the kernel.

The filter is classic BPF over `struct seccomp_data` (seccomp(2)): a chain of comparisons, built here.
"""

import ctypes
import errno
import platform
import struct
from collections.abc import Iterable

import calls

_NR, _ARCH, _FIRST_ARGUMENT, _THIRD_ARGUMENT = 0, 4, 16, 32

_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _JUMP_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2

#: clone(2): CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}. A new user namespace would give back every capability in it.
_NEW_NAMESPACES = 0x7E020000
#: Of sockets: unix, inet, inet6. Not the others, of which vsock is in no namespace: it reaches the machine's host.
_FAMILIES = (1, 2, 10)
#: Netlink for routes (protocol 0) alone: by it libraries list the interfaces, of which there is but loopback.
_NETLINK = 16
#: x86-64 takes the calls of x32 with this bit.
_X32 = 0x40000000

_ARCHES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}

#: Name: numbers on x86-64 and arm64; -1 where there is no such call.
_SOCKET = (41, 198)
_CLONE = (56, 220)
#: As if the kernel did not know them: libraries take older ways then. (The flags of clone3 no filter can see.)
_UNKNOWN = {
    "clone3": (435, 435),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}


def install() -> bool:
    """Puts the filter on this thread for good, and ends the gaining of privileges. Tells whether there is one."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    machine = platform.machine()
    if machine not in _ARCHES:
        return False
    code = program(machine)
    buffer = ctypes.create_string_buffer(code, len(code))
    filter_of = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    return bool(libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.c_char_p(filter_of), 0, 0) == 0)


def program(machine: str) -> bytes:
    """The filter for `x86_64` or `aarch64`, as an array of `struct sock_filter`."""
    arch, column = _ARCHES[machine]
    lines = [
        _line(_LOAD, _ARCH),
        # Calls of another architecture, such as 32-bit ones, have other numbers.
        _line(_JUMP_EQUAL, arch, then=1),
        _line(_RETURN, _KILL),
        _line(_LOAD, _NR),
    ]
    if machine == "x86_64":
        lines += [_line(_JUMP_GREATER_EQUAL, _X32, otherwise=1), _line(_RETURN, _ERRNO | errno.ENOSYS)]
    lines += _clone(_CLONE[column])
    lines += _socket(_SOCKET[column])
    lines += _refuse([numbers[column] for numbers in _UNKNOWN.values()], errno.ENOSYS)
    lines += [_line(_JUMP_GREATER_EQUAL, calls.NEWEST + 1, otherwise=1), _line(_RETURN, _ERRNO | errno.ENOSYS)]
    lines += _allow(calls.allowed(column))
    return b"".join([*lines, _line(_RETURN, _ERRNO | errno.EPERM)])


def _clone(number: int) -> list[bytes]:
    return [
        _line(_JUMP_EQUAL, number, otherwise=4),
        _line(_LOAD, _FIRST_ARGUMENT),
        _line(_JUMP_BITS, _NEW_NAMESPACES, otherwise=1),
        _line(_RETURN, _ERRNO | errno.EPERM),
        _line(_RETURN, _ALLOW),
    ]


def _socket(number: int) -> list[bytes]:
    return [
        _line(_JUMP_EQUAL, number, otherwise=len(_FAMILIES) + 6),
        _line(_LOAD, _FIRST_ARGUMENT),
        *(_line(_JUMP_EQUAL, family, then=len(_FAMILIES) - place + 3) for place, family in enumerate(_FAMILIES)),
        _line(_JUMP_EQUAL, _NETLINK, otherwise=2),
        _line(_LOAD, _THIRD_ARGUMENT),
        _line(_JUMP_EQUAL, 0, then=1),
        _line(_RETURN, _ERRNO | errno.EAFNOSUPPORT),
        _line(_RETURN, _ALLOW),
    ]


def _allow(numbers: set[int]) -> list[bytes]:
    """Lets the numbers through, range by range: most calls stand beside others that are allowed."""
    lines = []
    firsts = sorted(number for number in numbers if number - 1 not in numbers)
    lasts = sorted(number for number in numbers if number + 1 not in numbers)
    for first, last in zip(firsts, lasts, strict=True):
        lines += [
            _line(_JUMP_GREATER_EQUAL, first, otherwise=2),
            _line(_JUMP_GREATER_EQUAL, last + 1, then=1),
            _line(_RETURN, _ALLOW),
        ]
    return lines


def _refuse(numbers: Iterable[int], error: int) -> list[bytes]:
    lines = []
    for number in numbers:
        lines += [_line(_JUMP_EQUAL, number, otherwise=1), _line(_RETURN, _ERRNO | error)]
    return lines


def _line(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    """One `struct sock_filter`; the jumps are counted from the next line."""
    return struct.pack("HBBI", code, then, otherwise, value)
