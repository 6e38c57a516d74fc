"""A small disk, that can be full."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path


class Disk:
    """A folder on a disk of its own, where one can be mounted; otherwise one that nobody may write to when it is full.

    The first takes root, and gives ENOSPC; the second is EACCES for anybody else.
    """

    def __init__(self, folder: Path, megabytes: int) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
        self.is_mounted = os.geteuid() == 0 and not subprocess.run(["mount", *options], check=False).returncode

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """Nothing can be written during the block."""
        with self._filled() if self.is_mounted else self._closed():
            yield

    def close(self) -> None:
        """Gives the disk back, with all that is on it."""
        if self.is_mounted:
            subprocess.run(["umount", "--lazy", str(self._folder)], check=True)

    @contextlib.contextmanager
    def _filled(self) -> Iterator[None]:
        ballast = self._folder / "ballast"
        try:
            with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
                while True:
                    # The last write takes what is left.
                    file.write(bytes(2**16))
            yield
        finally:
            ballast.unlink()

    @contextlib.contextmanager
    def _closed(self) -> Iterator[None]:
        folders = [self._folder, *(path for path in self._folder.rglob("*") if path.is_dir())]
        for folder in folders:
            folder.chmod(0o500)
        try:
            yield
        finally:
            for folder in folders:
                folder.chmod(0o700)
