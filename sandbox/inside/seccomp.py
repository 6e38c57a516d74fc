"""A filter of system calls for this process and all it starts: those that code in a sandbox has no use for, and that
have let others out of theirs, are refused. The standard library alone; it runs inside, before the kernel.

The filter is classic BPF over `struct seccomp_data` (seccomp(2)): a chain of comparisons, built here.
"""

import ctypes
import errno
import platform
import struct
from collections.abc import Iterable

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
_REFUSED = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "create_module": (174, -1),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "get_kernel_syms": (177, -1),
    "init_module": (175, 105),
    "ioperm": (173, -1),
    "iopl": (172, -1),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "lsm_set_self_attr": (460, 460),
    "mbind": (237, 235),
    "migrate_pages": (256, 238),
    "modify_ldt": (154, -1),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "move_pages": (279, 239),
    "name_to_handle_at": (303, 264),
    "nfsservctl": (180, 42),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "query_module": (178, -1),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "sysfs": (139, -1),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "uselib": (134, -1),
    "userfaultfd": (323, 282),
    "ustat": (136, -1),
    "vhangup": (153, 58),
    "vm86": (-1, -1),
    "vmsplice": (278, 75),
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
    unknown = [numbers[column] for numbers in _UNKNOWN.values()]
    refused = [numbers[column] for numbers in _REFUSED.values() if numbers[column] >= 0]
    lines = [
        _line(_LOAD, _ARCH),
        # Calls of another architecture, such as 32-bit ones, have other numbers.
        _line(_JUMP_EQUAL, arch, then=1),
        _line(_RETURN, _KILL),
        _line(_LOAD, _NR),
    ]
    if machine == "x86_64":
        lines += [_line(_JUMP_GREATER_EQUAL, _X32, otherwise=1), _line(_RETURN, _ERRNO | errno.ENOSYS)]
    lines += _refuse(unknown, errno.ENOSYS)
    lines += _refuse(refused, errno.EPERM)
    lines += [
        _line(_JUMP_EQUAL, _CLONE[column], otherwise=4),
        _line(_LOAD, _FIRST_ARGUMENT),
        _line(_JUMP_BITS, _NEW_NAMESPACES, otherwise=1),
        _line(_RETURN, _ERRNO | errno.EPERM),
        _line(_RETURN, _ALLOW),
        _line(_JUMP_EQUAL, _SOCKET[column], otherwise=len(_FAMILIES) + 5),
        _line(_LOAD, _FIRST_ARGUMENT),
        *(_line(_JUMP_EQUAL, family, then=len(_FAMILIES) - place + 3) for place, family in enumerate(_FAMILIES)),
        _line(_JUMP_EQUAL, _NETLINK, otherwise=2),
        _line(_LOAD, _THIRD_ARGUMENT),
        _line(_JUMP_EQUAL, 0, then=1),
        _line(_RETURN, _ERRNO | errno.EAFNOSUPPORT),
        _line(_RETURN, _ALLOW),
    ]
    return b"".join(lines)


def _refuse(numbers: Iterable[int], error: int) -> list[bytes]:
    lines = []
    for number in numbers:
        lines += [_line(_JUMP_EQUAL, number, otherwise=1), _line(_RETURN, _ERRNO | error)]
    return lines


def _line(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    """One `struct sock_filter`; the jumps are counted from the next line."""
    return struct.pack("HBBI", code, then, otherwise, value)
