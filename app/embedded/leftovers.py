"""Servers of this data folder that outlived their `locum up`, found by the folder they work in.

The kernel ends our children with us (app.embedded.owned), but a server takes a moment to put its files in order.
Process ids in files are not trusted: they are used again, in containers soon.
"""

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from app.embedded.errors import CannotStart

_POLL_SECONDS = 0.02


def end(folder: Path, signals: Sequence[signal.Signals], seconds: float) -> None:
    """Ends every process whose current folder is `folder`, by `signals` in turn, `seconds` for each.

    Raises `CannotStart` if one of them will not end. Blocks.
    """
    for number in signals:
        _signal_all(find(folder), number)
        deadline = time.monotonic() + seconds
        while find(folder):
            if time.monotonic() > deadline:
                break
            time.sleep(_POLL_SECONDS)
        else:
            return
    pids = ", ".join(map(str, find(folder)))
    raise CannotStart(f"an earlier server still works in {folder} and cannot be ended (process {pids})")


def find(folder: Path) -> list[int]:
    """The servers whose current folder is `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended, or is another user's
            if (process / "cwd").readlink() == folder.resolve() and _is_server(process):
                found.append(int(process.name))
    return found


def _is_server(process: Path) -> bool:
    """Whether it is one of the programs we start there, and not a shell that looks around."""
    program = (process / "exe").readlink().name.removesuffix(" (deleted)")
    return program in {"postgres", "valkey-server", "redis-server"}


def _signal_all(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
