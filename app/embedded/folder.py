"""The data folder: what lies where in it, and that one `locum up` at a time has it.

api_key     the key of the first project, in plain text, for its owner alone
files/      uploaded files
locum.lock  locked while in use
logs/       what the parts wrote
postgres/   the database
valkey/     Redis's log of writes
run/        sockets, and where the local models answer
"""

import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.embedded.errors import CannotStart
from app.embedded.owned import NOBODY

#: sockaddr_un has room for 108 bytes with the closing zero: unix(7).
_LONGEST_SOCKET_PATH = 107
_LONGEST_SOCKET_NAME = len("/.s.PGSQL.5432.lock")


class DataFolder:
    """The folders below `root`. Made and owned by us, closed to others."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self.logs = self.root / "logs"
        self.postgres = self.root / "postgres"
        self.valkey = self.root / "valkey"
        self.api_key = self.root / "api_key"
        self.lock = self.root / "locum.lock"
        self.sockets = self._sockets()
        self.model_url = self.sockets / "model.url"
        self.embeddings_url = self.sockets / "embeddings.url"

    def _sockets(self) -> Path:
        """`run` in the data folder, or a folder below the one for temporary files where the path would be too long."""
        near = self.root / "run"
        if len(os.fsencode(near)) + _LONGEST_SOCKET_NAME <= _LONGEST_SOCKET_PATH:
            return near
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        name = f"locum-{os.getuid()}-{digest}"
        far = Path(tempfile.gettempdir()) / name
        if len(os.fsencode(far)) + _LONGEST_SOCKET_NAME <= _LONGEST_SOCKET_PATH:
            return far
        return Path("/tmp") / name  # noqa: S108 - made closed, and refused if another made it

    def make(self) -> None:
        """Makes what is not there. Raises `CannotStart` if it cannot be, or if another user made it."""
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in (self.logs, self.valkey, self.sockets):
                folder.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise CannotStart(
                f"cannot use {self.root} as the data folder: {error.strerror} ({error.filename})"
            ) from None
        found = self.sockets.lstat()
        owners = (0, NOBODY) if os.geteuid() == 0 else (os.geteuid(),)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners or found.st_mode & 0o077:
            raise CannotStart(f"{self.sockets} is not a folder of this user that is closed to others: remove it")

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Holds the folder for the block; tells whether its last holder came to a clean end.

        Raises `CannotStart` while another process holds it. The kernel frees it when the holder dies.
        """
        self.make()
        with self.lock.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read().strip()
                by = f" by process {holder}" if holder else ""
                raise CannotStart(f"the data folder {self.root} is in use{by}") from None
            file.seek(0)
            was_clean = not file.read()
            _rewrite(file.fileno(), f"{os.getpid()}\n")
            try:
                yield was_clean
            finally:
                _rewrite(file.fileno(), "")
                if self.sockets.parent != self.root:
                    shutil.rmtree(self.sockets, ignore_errors=True)


def _rewrite(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.write(descriptor, text.encode())
