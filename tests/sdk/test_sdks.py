"""Every scenario through the official clients: Python's newest, an old one of Python, Node's."""

import sys
import venv
from pathlib import Path

import pytest

from tests.fakes.completion_backend import CompletionBackend
from tests.running import Locum
from tests.sdk.installing import run

ROOT = Path(__file__).parents[2]
#: The last of 1.x.
OLD_PYTHON_CLIENT = "openai==1.109.1"

#: The clients are installed from their registries.
pytestmark = pytest.mark.timeout(300)


def play(*command: str | Path, cwd: Path, locum: Locum, backend: CompletionBackend) -> None:
    """Runs the scenarios; each of them must have been played."""
    where = ["--base-url", locum.base_url, "--api-key", locum.new_project(), "--backend", backend.origin]
    version, *lines = run(*command, *where, cwd=cwd).splitlines()
    assert version.startswith("openai ")
    assert len(lines) > 20
    assert [line for line in lines if not line.endswith(" ... ok")] == []


def play_in_python(python: str | Path, locum: Locum, backend: CompletionBackend) -> None:
    # The client says of each of these methods that it is deprecated.
    quiet = ["-W", "ignore::DeprecationWarning"]
    play(python, *quiet, "-m", "tests.sdk.python_client", cwd=ROOT, locum=locum, backend=backend)


def test_newest_python(locum: Locum, backend: CompletionBackend) -> None:
    play_in_python(sys.executable, locum, backend)


def test_old_python(locum: Locum, backend: CompletionBackend, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", OLD_PYTHON_CLIENT, cwd=tmp_path)
    play_in_python(python, locum, backend)


def test_node(locum: Locum, backend: CompletionBackend, node_folder: Path) -> None:
    play("node", "main.mjs", cwd=node_folder, locum=locum, backend=backend)
