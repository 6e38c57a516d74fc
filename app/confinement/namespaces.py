"""Namespaces of a process's own: no file, no network, no process of anyone else's can be named in them."""

import ctypes
import os
from typing import Final

from app.embedded.owned import enter_user_namespace, system_call

_CLONE_NEWNS: Final = 0x00020000
_CLONE_NEWUTS: Final = 0x04000000
_CLONE_NEWIPC: Final = 0x08000000
_CLONE_NEWPID: Final = 0x20000000
_CLONE_NEWNET: Final = 0x40000000

_MS_RDONLY: Final = 1
_MS_NOSUID: Final = 2
_MS_NODEV: Final = 4
_MS_NOEXEC: Final = 8
_MS_REMOUNT: Final = 32
_MS_REC: Final = 0x4000
_MS_PRIVATE: Final = 0x40000
_MNT_DETACH: Final = 2

#: A folder that is everywhere, to be covered.
_COVERED: Final = b"/proc"


def begin() -> None:
    """Has the next child of this process be the first of a namespace of processes; all in it end with that child.

    An ordinary user comes into a namespace of users for it. Raises OSError where this is closed to us.
    """
    if os.geteuid() != 0:
        enter_user_namespace()
    system_call("unshare", _CLONE_NEWPID)


def complete() -> None:
    """Leaves this process, which `begin` has prepared, no network and no file but an empty folder. Raises OSError.

    Whatever is to be loaded from files must have been.
    """
    system_call("unshare", _CLONE_NEWNS | _CLONE_NEWNET | _CLONE_NEWIPC | _CLONE_NEWUTS)
    _mount(None, b"/", None, _MS_REC | _MS_PRIVATE)
    _mount(b"none", _COVERED, b"tmpfs", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, b"size=4k,nr_inodes=2,mode=555")
    os.chdir(_COVERED)
    _pivot_root(b".", b".")
    # What lies on top of the new root now is the old one: pivot_root(2).
    _libc_call("umount2", b".", _MNT_DETACH)
    os.chdir("/")
    _mount(None, b"/", None, _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)


def _mount(source: bytes | None, target: bytes, kind: bytes | None, flags: int, data: bytes | None = None) -> None:
    _libc_call("mount", source, target, kind, ctypes.c_ulong(flags), data)


def _pivot_root(new: bytes, old: bytes) -> None:
    number = {"x86_64": 155, "aarch64": 41}[os.uname().machine]
    _libc_call("syscall", ctypes.c_long(number), new, old)


def _libc_call(name: str, *arguments: object) -> None:
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    if function(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")
