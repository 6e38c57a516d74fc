"""How much memory there is still to be had, on this machine and in the control group that the host itself is in."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sandbox.hierarchies import own_folders

_MEMINFO: Final = Path("/proc/meminfo")
#: The limit and what is used of it, in version 2 and in version 1.
_FILES: Final = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))


def available_bytes() -> int:
    """Bytes that can be used without anything being swapped or killed. Raises OSError where Linux does not tell."""
    return max(0, min(of_machine(), *_of_groups()))


def of_machine() -> int:
    """The same, whatever control group this process is in. Raises OSError."""
    for line in _MEMINFO.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"{_MEMINFO} has no MemAvailable")


def _of_groups() -> Iterator[int]:
    for folder in own_folders("memory"):
        for limit, usage in _FILES:
            # No limit is "max" in version 2; the root of a hierarchy has no file for it.
            with contextlib.suppress(OSError, ValueError):
                yield int((folder / limit).read_text()) - int((folder / usage).read_text())
