"""The folder of a host: one host at a time has it, and it begins empty."""

import fcntl
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.settings import SandboxSettings
from sandbox.errors import CannotLaunch
from sandbox.folder import remove_tree


class HostFolder:
    """The folder that `sandbox_dir` names, else `sandbox` in the data folder."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.root = (settings.sandbox_dir or settings.data_dir / "sandbox").expanduser().absolute()
        self.sessions = self.root / "sessions"

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Holds the folder for the block, without what an earlier host left. Raises CannotLaunch where it cannot."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError as error:
            raise CannotLaunch(f"The sandbox cannot use the folder {self.root}: {error.strerror}.") from None
        try:
            self._check(descriptor)
            await remove_tree(self.sessions)
            self.sessions.mkdir(mode=0o700)
            yield
            await remove_tree(self.sessions)
        finally:
            os.close(descriptor)

    def _check(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise CannotLaunch(f"The folder {self.root} must belong to this user and be closed to others (chmod 700).")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotLaunch(f"Another sandbox host uses the folder {self.root}.") from None
