"""What every launcher promises, and what all of them give to what they launch."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sandbox import folder as inside
from sandbox.folder import SessionFolder
from sandbox.limits import Limits

#: The first of the accounts that sessions run as where the host is root: beyond those of people, and of containers.
_FIRST_UID: Final = 1_900_000_000
_UIDS: Final = 65_536
#: Native threads of numerical libraries, which count as processes: a machine may have more cores than that.
_THREADS: Final = str(min(4, os.cpu_count() or 1))

#: Beyond the memory of a session, for what is mapped but hardly touched: stacks of threads, buffers of libraries.
_DATA_SLACK: Final = 256 * 2**20
_OPEN_FILES: Final = 1024
#: Timers of processes count as such, too.
_PENDING_SIGNALS: Final = 1024

#: All that a kernel has of an environment.
ENVIRONMENT: Final[Mapping[str, str]] = {
    "PATH": f"{inside.ENVIRONMENT}/bin:/usr/bin:/bin",
    "HOME": inside.HOME,
    "USER": "sandbox",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "MPLCONFIGDIR": f"{inside.HOME}/.config/matplotlib",
    "PYTHONDONTWRITEBYTECODE": "1",
    # debugpy's helper; nobody attaches a debugger here.
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "OMP_NUM_THREADS": _THREADS,
    "OPENBLAS_NUM_THREADS": _THREADS,
    "MKL_NUM_THREADS": _THREADS,
    "LOKY_MAX_CPU_COUNT": _THREADS,
    # pyarrow's own allocator takes a gigabyte at once, used or not, and RLIMIT_DATA counts it.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}

#: The first program inside.
COMMAND: Final = (f"{inside.ENVIRONMENT}/bin/python", "-s", f"{inside.SYSTEM}/start.py")


class Launched(Protocol):
    """A kernel and whatever else the code has started, shut in together."""

    @property
    def pid_namespace(self) -> int | None:
        """The inode of its namespace of processes, where its use of memory is to be watched; None where others do."""

    async def wait(self) -> str:
        """Returns when it has ended, with why, in words that follow 'the kernel '."""

    async def kill(self) -> None:
        """Ends all of it at once; returns when nothing is left of it. May be called again."""


class Launcher(Protocol):
    """Starts kernels. `prepare` comes first; it raises CannotLaunch where this machine cannot do it."""

    name: str

    @property
    def is_limited(self) -> bool:
        """Whether memory and processes of a session are limited from without, and need no watch."""

    async def prepare(self) -> None:
        """Makes sure that kernels can be launched, and ends those that an earlier host has left."""

    def held(self) -> Mapping[str, str]:
        """What holds a session to each of its limits here, in words, once it is prepared."""

    def lacks(self) -> Mapping[str, str]:
        """Lines of defence that do not hold on this machine, and why, once it is prepared."""

    def account(self) -> "Account":
        """Whom a new session's code runs as."""

    async def launch(self, folder: SessionFolder) -> Launched:
        """Starts a kernel on the folder. Raises KernelFailed."""

    async def close(self) -> None:
        """Lets go of everything; all that was launched has been killed."""


@dataclass(frozen=True)
class Account:
    """A user, by number."""

    uid: int
    is_ours: bool
    """Whether it was made up by us: then folders must be handed over to it."""


class Accounts:
    """Gives every session of a host that is root an account of its own."""

    def __init__(self) -> None:
        # Not always from the first one on: a host that was killed may have left files and processes.
        self._next = int.from_bytes(os.urandom(2), "big")

    def take(self) -> Account:
        """One that was not taken for as long as can be."""
        self._next = (self._next + 1) % _UIDS
        return Account(_FIRST_UID + self._next, is_ours=True)


def start_options(limits: Limits, *, become: int | None, guard: bool, count_processes: bool) -> dict[str, Any]:
    """What inside/start.py is to do."""
    resources = {
        "RLIMIT_CORE": 0,
        "RLIMIT_CPU": limits.cpu_seconds,
        "RLIMIT_DATA": limits.memory_bytes + _DATA_SLACK,
        "RLIMIT_FSIZE": limits.file_bytes,
        "RLIMIT_MSGQUEUE": 0,
        "RLIMIT_NOFILE": _OPEN_FILES,
        "RLIMIT_SIGPENDING": _PENDING_SIGNALS,
    }
    if count_processes:
        resources["RLIMIT_NPROC"] = limits.processes
    return {"limits": resources, "become": become, "guard": guard}


def describe(status: int) -> str:
    """Why a kernel ended, by its exit status as a shell gives it."""
    if status == 0:
        return "was ended by the code"
    if status == 128 + 9:
        return "was killed, as happens to code that uses too much memory"
    if status == 128 + 24:
        return "used up its processor time"
    if status == 128 + 11:
        return "crashed (segmentation fault)"
    if status > 128:
        return f"was ended by signal {status - 128}"
    return f"ended with status {status}"
