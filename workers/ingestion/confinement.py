"""What a process that reads the files of strangers gives up before it begins."""

import ctypes
import math
import os
import platform
import resource
import signal
import struct
from typing import ClassVar, Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_SECCOMP: Final = 22
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_MODE_FILTER: Final = 2

_ALLOW: Final = 0x7FFF0000
_KILL: Final = 0x80000000
_REFUSE: Final = 0x00050000 | 1  # with EPERM

# Of classic BPF: linux/bpf_common.h.
_LOAD: Final = 0x20
_JUMP_IF_EQUAL: Final = 0x15
_JUMP_IF_AT_LEAST: Final = 0x35
_RETURN: Final = 0x06
_OFFSET_OF_NUMBER: Final = 0
_OFFSET_OF_ARCHITECTURE: Final = 4

#: Architecture, and the numbers of socket, execve, execveat, ptrace, process_vm_readv and io_uring_setup on it.
_SYSTEM_CALLS: Final = {
    "x86_64": (0xC000003E, (41, 59, 322, 101, 310, 425)),
    "aarch64": (0xC00000B7, (198, 221, 281, 117, 270, 425)),
}
_FIRST_OF_X32: Final = 0x40000000


def confine(parent: int, memory_bytes: int, seconds: float) -> None:
    """Takes from this process what a parser does not need, for good.

    Memory, processor time and file sizes are limited; no file can be written, no program started, no socket opened
    (so nothing is downloaded, and nothing told to anyone). It dies with `parent`. Must come before other threads do.
    """
    _die_with(parent)
    cpu = math.ceil(seconds)
    for limit, soft, hard in (
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_CPU, cpu, cpu + 1),  # at the first it is told why (SIGXCPU), at the second killed
        (resource.RLIMIT_AS, memory_bytes, memory_bytes),
    ):
        _lower(limit, soft, hard)
    _close_doors()


def _lower(limit: int, soft: int, hard: int) -> None:
    _, most = resource.getrlimit(limit)
    if most != resource.RLIM_INFINITY:
        soft, hard = min(soft, most), min(hard, most)
    resource.setrlimit(limit, (soft, hard))


def _die_with(parent: int) -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has died before it was watched
        os.kill(os.getpid(), signal.SIGKILL)


def _close_doors() -> None:
    """Refuses the system calls by seccomp(2). Nothing where the kernel or the processor has none of it."""
    if platform.machine() not in _SYSTEM_CALLS:
        return
    instructions = _filter(*_SYSTEM_CALLS[platform.machine()])
    program = _Program(len(instructions) // 8, instructions)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(program))


class _Program(ctypes.Structure):
    """`struct sock_fprog` of linux/filter.h."""

    _fields_: ClassVar = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def _filter(architecture: int, refused: tuple[int, ...]) -> bytes:
    """The program in classic BPF that refuses the system calls of these numbers."""
    count = len(refused)
    program = [
        (_LOAD, 0, 0, _OFFSET_OF_ARCHITECTURE),
        (_JUMP_IF_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _OFFSET_OF_NUMBER),
        (_JUMP_IF_AT_LEAST, count + 1, 0, _FIRST_OF_X32),
        *((_JUMP_IF_EQUAL, count - place, 0, number) for place, number in enumerate(refused)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    return b"".join(struct.pack("@HBBI", *instruction) for instruction in program)


def _prctl(option: int, *arguments: int) -> None:
    padded = (*arguments, 0, 0, 0, 0)[:4]
    ctypes.CDLL(None).prctl(ctypes.c_int(option), *(ctypes.c_ulong(argument) for argument in padded))
