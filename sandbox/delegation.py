"""Whose a control group of version 2 is, and how it gets children with controllers.

Only a group without processes of its own gives controllers to its children (cgroups(7), "no internal processes"), so
those that it has are moved into a child first. Where systemd runs, a unit's group may be divided only if the unit has
`Delegate=yes` (systemd.resource-control(5)). That is more than good manners: systemd ends any other unit once the
kernel has killed one process anywhere in it for want of memory (`OOMPolicy=`), and code brings that about at will.
"""

import contextlib
import errno
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

#: Holds the processes that the group had itself.
INNER: Final = "locum-sandbox-host"
_UNITS: Final = (".service", ".scope")
#: systemd's own marks; only root can read the older one.
_MARKS: Final = ("user.delegate", "trusted.delegate")
_MOVING_ROUNDS: Final = 50
_ASKING_SECONDS: Final = 5
_NOT_DELEGATED: Final = (
    "this unit of systemd has no Delegate=yes: put that into its [Service], or start Locum by "
    "`systemd-run --user --scope -p Delegate=yes`"
)


def group_of(own: Path, point: Path) -> Path:
    """The group that can be ours to divide, for a process in `own` of the hierarchy that is mounted at `point`.

    That is the unit's that we are part of; without systemd, the one that we are in.
    """
    for group in (own, *own.parents):
        if not group.is_relative_to(point):
            break
        if group.name.endswith(_UNITS):
            return group
    return own.parent if own.name == INNER and own != point else own


def enable(base: Path, controllers: tuple[str, ...]) -> None:
    """Gives the group's children the controllers. Raises OSError where the group is not ours to divide."""
    # The root of the machine has processes and children, and has no type.
    is_top = not (base / "cgroup.type").exists()
    if not is_top and base.name.endswith(_UNITS) and not _is_delegated(base):
        raise OSError(errno.EPERM, _NOT_DELEGATED, str(base))
    control = base / "cgroup.subtree_control"
    if set(controllers) <= set(control.read_text().split()):
        return
    if not is_top and (base.name.endswith(_UNITS) or _is_ours_alone(base)):
        vacate(base)
    control.write_text(" ".join(f"+{controller}" for controller in controllers))


def vacate(base: Path) -> None:
    """Moves all processes of the group, ours too, into a child of it. Raises OSError."""
    inner = base / INNER
    for _ in range(_MOVING_ROUNDS):
        # Another round finds what was forked meanwhile.
        members = (base / "cgroup.procs").read_text().split()
        if not members:
            return
        inner.mkdir(exist_ok=True)
        for member in members:
            # One that has just ended.
            with contextlib.suppress(ProcessLookupError):
                (inner / "cgroup.procs").write_text(member)
    raise OSError(errno.EBUSY, "its processes cannot be moved", str(base))


def _is_ours_alone(base: Path) -> bool:
    """Whether there is no process but us, or it is the top of what a container sees."""
    members = (base / "cgroup.procs").read_text().split()
    return members == [str(os.getpid())] or base.is_mount()


def _is_delegated(unit: Path) -> bool:
    for mark in _MARKS:
        with contextlib.suppress(OSError):
            if os.getxattr(unit, mark) == b"1":
                return True
    user = os.geteuid()
    if user == 0 or unit.stat().st_uid != user:
        return False
    # Older ones leave no mark that others than root can read, but hand over the folder. That of a user's own unit
    # belongs to the user in any case, and has no mark.
    return unit.parent.stat().st_uid != user or _says_systemd_so(unit.name)


def _says_systemd_so(unit: str) -> bool:
    systemctl = shutil.which("systemctl")
    if systemctl is None:
        return False
    command = [systemctl, "--user", "show", "--property=Delegate", "--value", "--", unit]
    try:
        asked = subprocess.run(
            command,
            # Where systemd has the socket of a user's manager; the host's own environment may not say.
            env={"XDG_RUNTIME_DIR": f"/run/user/{os.geteuid()}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_ASKING_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.stdout.strip() == "yes"
