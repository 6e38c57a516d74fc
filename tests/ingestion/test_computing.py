"""The filter of confined processes on both architectures, by an interpreter of what it is written in."""

import errno
import mmap
import struct

import pytest

from app.confinement import computing
from sandbox.inside import bpf, calls

_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_REFUSED = bpf.ERRNO | errno.EPERM

#: Calls that take a path, make a descriptor, start something, or name another process.
_NEVER = """
    open openat openat2 creat execve execveat fork vfork clone clone3 socket socketpair connect bind sendmsg sendto
    recvmsg ptrace process_vm_readv process_vm_writev kill tkill tgkill rt_sigqueueinfo pidfd_open pidfd_send_signal
    unlink unlinkat rename renameat renameat2 mkdir mkdirat rmdir link linkat symlink symlinkat mknod mknodat chmod
    fchmod fchmodat chown fchown fchownat truncate ftruncate stat newfstatat statx access faccessat readlink
    readlinkat getdents64 chdir fchdir mount pipe pipe2 dup dup2 dup3 fcntl ioctl eventfd2 epoll_create1 signalfd4
    timerfd_create memfd_create shmget prlimit64 setrlimit prctl seccomp unshare setns io_uring_setup
    sched_setaffinity setpriority setuid setresuid capset bpf perf_event_open userfaultfd keyctl
"""


def _decision(program: bytes, machine: int, number: int, *arguments: int) -> int:
    """What the kernel would do with a call: seccomp(2)."""
    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    data = struct.pack("=IIQ6Q", number, machine, 0, *padded)
    lines = [struct.unpack_from("HBBI", program, place) for place in range(0, len(program), 8)]
    place, loaded = 0, 0
    while True:
        code, then, otherwise, value = lines[place]
        place += 1
        if code == bpf.RETURN:
            return int(value)
        if code == bpf.LOAD:
            (loaded,) = struct.unpack_from("=I", data, value)
            continue
        holds = {
            bpf.JUMP_EQUAL: loaded == value,
            bpf.JUMP_GREATER_EQUAL: loaded >= value,
            bpf.JUMP_BITS: bool(loaded & value),
        }[code]
        place += then if holds else otherwise


@pytest.fixture(params=sorted(_AUDIT))
def machine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def _numbers(machine: str) -> dict[str, int]:
    return calls.numbers(bpf.ARCHES[machine].column)


def test_only_what_computes_is_allowed(machine: str) -> None:
    program = computing.program(machine)
    names = {number: name for name, number in _numbers(machine).items()}
    allowed = {number for number in range(1000) if _decision(program, _AUDIT[machine], number) == bpf.ALLOW}
    assert {names[number] for number in allowed} <= set(computing._ALLOWED)
    assert {names[number] for number in allowed}.isdisjoint(_NEVER.split())
    refused = {_decision(program, _AUDIT[machine], number) for number in range(1000) if number not in allowed}
    assert refused == {_REFUSED}
    assert {"read", "write", "mmap", "futex", "exit_group"} <= {names[number] for number in allowed}


def test_memory_cannot_be_made_executable(machine: str) -> None:
    program = computing.program(machine)
    for name in ("mmap", "mprotect"):
        number = _numbers(machine)[name]
        for protection in range(16):
            wanted = _REFUSED if protection & mmap.PROT_EXEC else bpf.ALLOW
            assert _decision(program, _AUDIT[machine], number, 0, 4096, protection) == wanted


def test_calls_of_other_architectures_end_the_process(machine: str) -> None:
    for audit in (0x40000003, *(set(_AUDIT.values()) - {_AUDIT[machine]})):
        assert _decision(computing.program(machine), audit, 1) == bpf.KILL


def test_calls_of_x32_are_not_known() -> None:
    decision = _decision(computing.program("x86_64"), _AUDIT["x86_64"], 0x40000000 | 1)
    assert decision == bpf.ERRNO | errno.ENOSYS
