"""The rights that a process gives up: its memory to others, its account, its capabilities."""

import ctypes
import os
import struct
from typing import Final

from app.embedded.owned import system_call

#: The account of confined processes where they are started by root: nobody's else. Next below those of sandboxes.
ACCOUNT: Final = 1_899_999_999

_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
_CAPABILITY_VERSION_3: Final = 0x20080522


def hide() -> None:
    """Closes this process's memory and environment to all but root: no other may trace it, or read it below /proc.

    It leaves no core dump either. Holds until another program is executed: prctl(2), PR_SET_DUMPABLE.
    """
    system_call("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)


def become_nobody() -> None:
    """From root to an account that owns nothing. Raises OSError where this root may not."""
    os.setgroups([])
    os.setresgid(ACCOUNT, ACCOUNT, ACCOUNT)
    os.setresuid(ACCOUNT, ACCOUNT, ACCOUNT)


def drop_capabilities() -> None:
    """Gives up every capability, and that programs could bring any back. Raises OSError."""
    system_call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    header = struct.pack("II", _CAPABILITY_VERSION_3, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capset(header, bytes(24)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"capset: {os.strerror(number)}")
