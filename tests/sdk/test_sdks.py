"""Every scenario through the official clients: Python's newest, an old one of Python, Node's."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.fakes.completion_backend import CompletionBackend
from tests.running import Locum

ROOT = Path(__file__).parents[2]
NODE_CLIENT = Path(__file__).parent / "node_client"
#: The last of 1.x. It breaks with httpx 0.28 and newer.
OLD_PYTHON_CLIENT = ["openai==1.109.1", "httpx<0.28"]
#: What the Node client asks for.
OLDEST_NODE = 20

#: The clients are installed from their registries.
pytestmark = pytest.mark.timeout(300)


def run(*command: str | Path, cwd: Path) -> str:
    """What a command prints. Fails the test, showing it, if the command does."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LOCUM_", "OPENAI_"))}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        pytest.fail(f"{Path(command[0]).name} ended with status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


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
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *OLD_PYTHON_CLIENT, cwd=tmp_path)
    play_in_python(python, locum, backend)


@pytest.mark.skipif(not shutil.which("npm"), reason="Node and npm are not installed")
def test_node(locum: Locum, backend: CompletionBackend, tmp_path: Path) -> None:
    found = run("node", "--version", cwd=tmp_path).strip()
    if int(found.lstrip("v").partition(".")[0]) < OLDEST_NODE:
        pytest.skip(f"Node {found} is older than {OLDEST_NODE}")
    # Node looks for packages beside the files that ask for them.
    scenarios = shutil.copytree(NODE_CLIENT, tmp_path / "node_client")
    run("npm", "install", "--silent", "--no-audit", "--no-fund", "--no-package-lock", cwd=scenarios)
    play("node", "main.mjs", cwd=scenarios, locum=locum, backend=backend)
