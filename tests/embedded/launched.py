"""`locum up` as an operator starts it: a process of its own on a folder of its own."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psycopg

from app.embedded.folder import DataFolder
from app.embedded.postgres import Postgres
from tests.running import free_port, wait_for

ROOT = Path(__file__).parents[2]
_START_SECONDS = 60
_STOP_SECONDS = 30


def environment(**settings: str) -> dict[str, str]:
    """What the command sees: of Locum's settings these alone."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LOCUM_")}
    return {**inherited, "PYTHONPATH": str(ROOT), **settings}


def locum(*arguments: str, cwd: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs a command that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        env=environment(**settings),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=_START_SECONDS,
        check=False,
    )


class Launched:
    """A running `locum up`. `prefix` is put before its command; `settings` are its LOCUM_ variables."""

    def __init__(self, data_dir: Path, *, prefix: Sequence[str] = (), **settings: str) -> None:
        self.data_dir = data_dir
        self.folder = DataFolder(data_dir)
        self.port = free_port()
        self._prefix = list(prefix)
        self._settings = settings
        self.output = data_dir.with_name(data_dir.name + ".output")
        self.process = self.launch()

    def launch(self) -> "subprocess.Popen[bytes]":
        """Starts the command (again)."""
        arguments = ["up", "--port", str(self.port), "--data-dir", str(self.data_dir)]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [*self._prefix, sys.executable, "-m", "app.cli", *arguments],
                env=environment(**self._settings),
                cwd=self.data_dir.parent,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return self.process

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def api_key(self) -> str:
        return self.folder.api_key.read_text().strip()

    @property
    def said(self) -> str:
        """What it has printed since it was started."""
        return self.output.read_text()

    def wait_until_ready(self) -> None:
        """Returns when it says that it is ready. Raises AssertionError with what it said if it ends instead."""

        def is_ready() -> bool:
            assert self.process.poll() is None, self.said
            return "Try it:" in self.said

        wait_for(is_ready, "locum up to be ready", _START_SECONDS)

    def connect(self) -> psycopg.Connection:
        """A connection to its database, each statement its own transaction."""
        return psycopg.connect(Postgres(self.folder).url, autocommit=True)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Sends a signal; gives the exit status."""
        self.process.send_signal(number)
        return self.process.wait(_STOP_SECONDS)

    def end(self) -> None:
        """Leaves nothing running, whatever the test has done."""
        with contextlib.suppress(ProcessLookupError):
            if self.process.poll() is None:
                self.stop()
        wait_for(lambda: not self.pids(), "its children to end", _STOP_SECONDS)

    def pids(self, part: str = "") -> list[int]:
        """The processes that belong to it, found by what only they have: its port or its folder in their environment
        or command line. With `part`, those of that part."""
        return [pid for pid, name in _processes(str(self.data_dir)) if part in name and pid != self.process.pid]


def _processes(folder: str) -> list[tuple[int, str]]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            cwd = os.fspath((process / "cwd").readlink())
            environ = (process / "environ").read_bytes().decode(errors="replace")
            if f"LOCUM_DATA_DIR={folder}\0" in environ or cwd.startswith(f"{folder}/") or f"{folder}/" in command:
                found.append((int(process.name), command))
    return found
