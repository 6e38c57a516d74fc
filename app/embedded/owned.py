"""Runs a program so that it ends when its parent does, and not as root where it refuses to be root.

    python -I -S owned.py PARENT_PID DEATH_SIGNAL IDENTITY PROGRAM ARGUMENT...

Executes PROGRAM in its own place: the process id stays. The kernel sends it DEATH_SIGNAL when the parent dies, however
it dies. IDENTITY says as whom it runs:

- `same`: as we are.
- `mapped`: as uid 65534 of a user namespace in which that is the one user there is, mapped to the user we are. So
  Postgres, which refuses to run as root, finds itself unprivileged, while its files belong to root.
- `nobody`: as the account with uid and gid 65534, for root where user namespaces are closed.

A script of the standard library alone, because its start-up is part of every start.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

NOBODY = 65534

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000


def main() -> None:
    """Becomes the program. Ends with status 126 and one line on standard error if that cannot be."""
    parent, death_signal, identity, *command = sys.argv[1:]
    try:
        _become(identity)
        die_with(int(parent), int(death_signal))
        os.execv(command[0], command)  # noqa: S606 - a program of ours, and no shell
    except OSError as error:
        sys.stderr.write(f"cannot run {command[0]}: {error}\n")
        sys.exit(126)


def _become(identity: str) -> None:
    if identity == "mapped":
        enter_user_namespace()
    elif identity == "nobody":
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def enter_user_namespace() -> None:
    """Moves this process into a user namespace of its own, in which it is uid 65534. Raises OSError where closed."""
    uid, gid = os.getuid(), os.getgid()
    system_call("unshare", _CLONE_NEWUSER)
    # The group map may be written without privileges only once setgroups is off: user_namespaces(7).
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{NOBODY} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} {gid} 1")


def die_with(parent: int, death_signal: int) -> None:
    """Has the kernel send this process the signal when `parent` ends. Raises OSError.

    Must come after every change of identity, which resets it: prctl(2).
    """
    system_call("prctl", _PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:  # it has died before it was watched
        os.kill(os.getpid(), signal.SIGKILL)


def system_call(name: str, *arguments: int) -> None:
    """Calls a function of libc that returns 0 if all went well. Raises OSError."""
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    if function(*(ctypes.c_ulong(argument) for argument in arguments)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


if __name__ == "__main__":
    main()
