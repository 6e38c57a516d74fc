"""The first program inside a sandbox: takes on the limits, gives up what is left of its rights, becomes the kernel.

    python -s start.py            what to do is in start.json beside this file (see sandbox.launchers.base)

It runs on the sandbox's own Python, with the standard library alone.
"""

import contextlib
import ctypes
import gc
import json
import os
import resource
import select
import shutil
import signal
import struct
import sys
from pathlib import Path
from typing import Any

import seccomp

_HERE = Path(__file__).parent
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_CAPABILITY_VERSION_3 = 0x20080522
#: Below everything else on the machine, so that the host answers however busy the code is.
_NICE = 10
_OOM_SCORE = 500


def main() -> None:
    """Becomes the kernel, or its guardian where `guard` is set."""
    start: dict[str, Any] = json.loads((_HERE / "start.json").read_text())
    os.umask(0o077)
    # To be killed before all else where the machine has no memory left. Who has changed accounts may not write it.
    Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE))
    _limit(start["limits"])
    if start["become"] is not None:
        _become(start["become"])
    if start["guard"]:
        _guard()
    os.chdir("/mnt/data")
    os.nice(_NICE)
    seccomp.install()
    _copy_font_cache()
    _run_kernel()


def _limit(limits: dict[str, int]) -> None:
    for name, value in limits.items():
        number = getattr(resource, name)
        _, highest = resource.getrlimit(number)
        if highest != resource.RLIM_INFINITY:
            value = min(value, highest)  # noqa: PLW2901
        resource.setrlimit(number, (value, value))


def _become(uid: int) -> None:
    """From root without a namespace of users to the session's own account; its capabilities go with that."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    # With the account the kernel of Linux takes from a process the right to read its own entries in /proc, until it
    # becomes another program.
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    # What is left is what a program with file capabilities could inherit.
    header = struct.pack("II", _CAPABILITY_VERSION_3, 0)
    ctypes.CDLL(None).capset(header, bytes(24))


def _guard() -> None:
    """Returns in a child; stays as its parent, process 1 of a container, until the child or the host is no more.

    The host holds the other end of our standard input: whatever ends it closes that.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_DFL)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        return
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        _reap(child)
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 512)
        if 0 in ready and not os.read(0, 512):
            os._exit(0)


def _reap(child: int) -> None:
    """Buries the dead; ends as `child` did."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if pid == child:
                code = os.waitstatus_to_exitcode(status)
                os._exit(code if code >= 0 else 128 - code)


def _run_kernel() -> None:
    """Runs the kernel in this process: another Python would begin all over."""
    # Nothing is garbage yet, and to look for it takes time.
    gc.disable()
    import kernel  # noqa: PLC0415 - not before the filter is there

    # Our own folder is not searched any more, and its names are free for modules of the code's.
    del sys.path[0]
    for script in _HERE.glob("*.py"):
        sys.modules.pop(script.stem, None)
    # By this name ipykernel finds the classes; __main__ is about to be the user's.
    sys.modules["locum_kernel"] = kernel
    application = kernel.application()
    # What is there by now stays, and is not looked through again.
    gc.freeze()
    gc.enable()
    application.start()


def _copy_font_cache() -> None:
    """Matplotlib looks at every font when it has no list of them: the one that was made with the environment serves."""
    target = Path(os.environ["MPLCONFIGDIR"])
    target.mkdir(parents=True, exist_ok=True)
    for cache in (Path(sys.prefix) / "share" / "locum").glob("fontlist-*.json"):
        shutil.copy(cache, target)


if __name__ == "__main__":
    main()
