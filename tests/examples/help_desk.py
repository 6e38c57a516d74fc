"""The demo application, started for tests as its README has it started."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.running import Locum, free_port, wait_for

ROOT = Path(__file__).parents[2]
_START_SECONDS = 60
_STOP_SECONDS = 15


@dataclass
class HelpDesk:
    """A running one. Its model is scripted."""

    url: str
    model: str
    log: Path

    def visitor(self) -> httpx2.Client:
        """A browser that has not been here before."""
        return httpx2.Client(base_url=self.url, timeout=30)


@contextlib.contextmanager
def run_help_desk(locum: Locum, model: str, folder: Path) -> Iterator[HelpDesk]:
    """Runs the application until the block is left."""
    port = free_port()
    desk = HelpDesk(f"http://127.0.0.1:{port}", model, folder / "help_desk.log")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LOCUM_", "OPENAI_"))}
    with desk.log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "examples.demo_app", "--port", str(port), "--model", model],
            env={**inherited, "OPENAI_BASE_URL": locum.base_url, "OPENAI_API_KEY": locum.api_key},
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )

    def answers() -> bool:
        if process.poll() is not None:
            raise RuntimeError(desk.log.read_text())
        with contextlib.suppress(httpx2.TransportError):
            return httpx2.get(desk.url).status_code == 200
        return False

    try:
        wait_for(answers, "the help desk", _START_SECONDS)
        yield desk
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        finally:
            process.kill()
