"""Scratch files hold what is written to them, and leave nothing, even when their process is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from app.scratch import scratch_file

_PROGRAM = """
import os, signal
from app.scratch import scratch_file
with scratch_file() as path:
    path.write_bytes(b"much" * 100_000)
    print(path.stat().st_size, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_is_written_is_read() -> None:
    with scratch_file() as path:
        path.write_bytes(b"first, ")
        with path.open("ab") as file:
            file.write(b"then")
        assert path.read_bytes() == b"first, then"
    assert not path.exists()


def test_a_killed_process_leaves_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", _PROGRAM], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"400000\n"), done.stderr
    assert not list(tmp_path.iterdir())
