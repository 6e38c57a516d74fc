"""A filter of system calls that leaves a process nothing but to compute and to write to what it holds open."""

import errno
import platform
from typing import Final

from sandbox.inside import bpf, calls

#: Memory, locks within the process, clocks, random numbers; the answer; the end. Whatever else is asked is refused, and
#: libraries take it as they take a machine that is closed to them. No call of these takes a path, makes a descriptor,
#: starts a process or a thread, or knows of another process.
_ALLOWED: Final = (
    *("brk", "madvise", "mremap", "munmap", "mmap", "mprotect"),
    *("futex", "set_robust_list", "rseq", "sched_yield", "getcpu"),
    *("clock_getres", "clock_gettime", "clock_nanosleep", "gettimeofday", "nanosleep", "time", "times"),
    *("getpid", "gettid", "getrandom", "getrusage", "sysinfo"),
    *("rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall"),
    *("read", "write", "writev", "close", "lseek"),
    *("exit", "exit_group"),
)
#: Memory may be had, but no more of it that can be executed: what is to run has been loaded.
_WITH_PROTECTION: Final = ("mmap", "mprotect")
_PROTECTION_ARGUMENT: Final = 2
_PROT_EXEC: Final = 4


def install() -> None:
    """Puts the filter on this thread for good. Raises OSError where the processor or the kernel has none of it."""
    machine = platform.machine()
    if machine not in bpf.ARCHES:
        raise OSError(errno.ENOSYS, f"no filter is known for {machine}")
    if not bpf.install(program(machine)):
        raise OSError(errno.ENOSYS, "this kernel has no seccomp")


def program(machine: str) -> bytes:
    """Returns the filter for `x86_64` or `aarch64`, as an array of `struct sock_filter`."""
    numbers = calls.numbers(bpf.ARCHES[machine].column)
    lines = bpf.head(machine)
    for name in _WITH_PROTECTION:
        lines += _without_execution(numbers[name])
    lines += bpf.allow({numbers[name] for name in _ALLOWED if name in numbers})
    return b"".join([*lines, bpf.line(bpf.RETURN, bpf.ERRNO | errno.EPERM)])


def _without_execution(number: int) -> list[bytes]:
    return [
        bpf.line(bpf.JUMP_EQUAL, number, otherwise=4),
        bpf.line(bpf.LOAD, bpf.argument(_PROTECTION_ARGUMENT)),
        bpf.line(bpf.JUMP_BITS, _PROT_EXEC, otherwise=1),
        bpf.line(bpf.RETURN, bpf.ERRNO | errno.EPERM),
        bpf.line(bpf.RETURN, bpf.ALLOW),
    ]
