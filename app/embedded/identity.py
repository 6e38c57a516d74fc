"""As whom the embedded Postgres runs: it refuses to be root."""

import os
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from app.embedded import owned
from app.embedded.errors import CannotStart

Identity = Literal["same", "mapped", "nobody"]


def of_postgres() -> Identity:
    """`same` for an ordinary user; for root a user namespace, or the account nobody where namespaces are closed."""
    if os.geteuid() != 0:
        return "same"
    return "mapped" if _user_namespaces_are_open() else "nobody"


def _user_namespaces_are_open() -> bool:
    command = wrapped(["/bin/true"], identity="mapped")
    tried = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - our own
    return tried.returncode == 0


def wrapped(command: Sequence[str], *, identity: Identity = "same", death_signal: int = 9) -> list[str]:
    """`command`, to be started by this very process, so that it lives no longer than we do: see app.embedded.owned."""
    this = [sys.executable, "-I", "-S", owned.__file__, str(os.getpid()), str(death_signal), identity]
    return [*this, *command]


def hand_over(folder: Path, identity: Identity) -> None:
    """Gives `folder` (one of ours) to the account that Postgres will run as, if it is not our own."""
    if identity == "nobody":
        os.chown(folder, owned.NOBODY, owned.NOBODY)


def check_reach(paths: Sequence[Path], identity: Identity) -> None:
    """Raises `CannotStart` where the account nobody cannot come to one of `paths`: we open no doors of others."""
    if identity != "nobody":
        return
    for path in paths:
        for parent in reversed(path.resolve().parents):
            if not parent.stat().st_mode & stat.S_IXOTH:
                raise CannotStart(
                    f"Postgres cannot run as root, user namespaces are closed here, and the account nobody cannot "
                    f"come to {path}: {parent} is closed to it. Start Locum as an ordinary user, choose another "
                    f"--data-dir, or set LOCUM_DATABASE_URL."
                )
