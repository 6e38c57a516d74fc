"""Landlock, the kernel's way for a process to give up the file system: landlock(7). A set of rules that holds no rule.

Linux 5.13 has it for files, 6.7 for TCP, 6.12 for signals and abstract unix sockets. The numbers of the calls are the
same on every architecture.
"""

import ctypes
import os
import struct
from typing import Final

from app.embedded.owned import system_call

_PR_SET_NO_NEW_PRIVS: Final = 38
_CREATE_RULESET: Final = 444
_RESTRICT_SELF: Final = 446
_VERSION: Final = 1

#: How many rights to files each version of the ABI knows; later ones know as many as the last.
_FILE_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_TCP: Final = 0b11
_TCP_SINCE: Final = 4
#: Abstract unix sockets and signals.
_SCOPES: Final = 0b11
_SCOPES_SINCE: Final = 6


def version() -> int:
    """Returns the version of the ABI. Raises OSError where there is no Landlock, or it is switched off."""
    return _call(_CREATE_RULESET, None, 0, _VERSION)


def restrict() -> int:
    """Takes from this thread, for good, every right that this kernel's Landlock knows of. Returns the ABI's version.

    Files cannot be opened, made, renamed or removed, wherever they are; TCP, the signals of others, the tracing of
    processes that are not as restricted, and abstract sockets go too, where the kernel is new enough. Raises OSError.
    """
    found = version()
    # Without this only those may who have CAP_SYS_ADMIN.
    system_call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    ruleset = _call(_CREATE_RULESET, *_ruleset(found), 0)
    try:
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return found


def _ruleset(abi: int) -> tuple[bytes, int]:
    """`struct landlock_ruleset_attr` as the version knows it, with its size."""
    words = [(1 << _FILE_RIGHTS[min(abi, max(_FILE_RIGHTS))]) - 1]
    if abi >= _TCP_SINCE:
        words.append(_TCP)
    if abi >= _SCOPES_SINCE:
        words.append(_SCOPES)
    attributes = struct.pack(f"{len(words)}Q", *words)
    return attributes, len(attributes)


def _call(number: int, *arguments: bytes | int | None) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    wide = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    result = int(libc.syscall(ctypes.c_long(number), *wide))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result
