"""A filter of system calls for this process and all it starts: those of calls.py are let through, no others. The
standard library alone; it runs inside, before the kernel.
"""

import errno
import platform

import bpf
import calls

#: clone(2): CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}. A new user namespace would give back every capability in it.
_NEW_NAMESPACES = 0x7E020000
#: Of sockets: unix, inet, inet6. Not the others, of which vsock is in no namespace: it reaches the machine's host.
_FAMILIES = (1, 2, 10)
#: Netlink for routes (protocol 0) alone: by it libraries list the interfaces, of which there is but loopback.
_NETLINK = 16

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
    machine = platform.machine()
    return bool(bpf.install(program(machine) if machine in bpf.ARCHES else None))


def program(machine: str) -> bytes:
    """The filter for `x86_64` or `aarch64`, as an array of `struct sock_filter`."""
    column = bpf.ARCHES[machine].column
    lines = [
        *bpf.head(machine),
        *_clone(_CLONE[column]),
        *_socket(_SOCKET[column]),
        *bpf.refuse([numbers[column] for numbers in _UNKNOWN.values()], errno.ENOSYS),
        bpf.line(bpf.JUMP_GREATER_EQUAL, calls.NEWEST + 1, otherwise=1),
        bpf.line(bpf.RETURN, bpf.ERRNO | errno.ENOSYS),
        *bpf.allow(calls.allowed(column)),
        bpf.line(bpf.RETURN, bpf.ERRNO | errno.EPERM),
    ]
    return b"".join(lines)


def _clone(number: int) -> list[bytes]:
    return [
        bpf.line(bpf.JUMP_EQUAL, number, otherwise=4),
        bpf.line(bpf.LOAD, bpf.argument(0)),
        bpf.line(bpf.JUMP_BITS, _NEW_NAMESPACES, otherwise=1),
        bpf.line(bpf.RETURN, bpf.ERRNO | errno.EPERM),
        bpf.line(bpf.RETURN, bpf.ALLOW),
    ]


def _socket(number: int) -> list[bytes]:
    return [
        bpf.line(bpf.JUMP_EQUAL, number, otherwise=len(_FAMILIES) + 6),
        bpf.line(bpf.LOAD, bpf.argument(0)),
        *(bpf.line(bpf.JUMP_EQUAL, family, then=len(_FAMILIES) - place + 3) for place, family in enumerate(_FAMILIES)),
        bpf.line(bpf.JUMP_EQUAL, _NETLINK, otherwise=2),
        bpf.line(bpf.LOAD, bpf.argument(2)),
        bpf.line(bpf.JUMP_EQUAL, 0, then=1),
        bpf.line(bpf.RETURN, bpf.ERRNO | errno.EAFNOSUPPORT),
        bpf.line(bpf.RETURN, bpf.ALLOW),
    ]
