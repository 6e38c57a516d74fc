"""Every scenario through the official clients: Python's newest, old ones of Python, Node's."""

import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.completion_backend import CompletionBackend
from tests.running import Locum
from tests.sdk.conftest import NodeClient
from tests.sdk.installing import run
from tests.watched_streams import Watch

ROOT = Path(__file__).parents[2]
#: The last of 1.x.
OLD_PYTHON_CLIENT = "openai==1.109.1"
#: The last that spoke version 1 of the Assistants API, with the scenarios it can play; and one of its first weeks.
V1_CLIENTS = [("openai==1.20.0", 7), ("openai==1.3.9", 4)]

#: The clients are installed from their registries.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module", autouse=True)
def _sandbox(locum: Locum) -> Iterator[None]:
    """The sandbox host, for as long as these tests run."""
    locum.start_sandbox()
    yield
    locum.stop("sandbox")


def play(*command: str | Path, cwd: Path, locum: Locum, backend: CompletionBackend, scenarios: int = 23) -> None:
    """Runs the scenarios; each of them must have been played, and there must be so many at least."""
    where = ["--base-url", locum.base_url, "--api-key", locum.new_project(), "--backend", backend.origin]
    version, *lines = run(*command, *where, cwd=cwd).splitlines()
    assert version.startswith("openai ")
    assert len(lines) >= scenarios
    assert [line for line in lines if not line.endswith(" ... ok")] == []


def play_in_python(python: str | Path, locum: Locum, backend: CompletionBackend) -> None:
    # The client says of each of these methods that it is deprecated.
    quiet = ["-W", "ignore::DeprecationWarning"]
    play(python, *quiet, "-m", "tests.sdk.python_client", cwd=ROOT, locum=locum, backend=backend)


def installed(folder: Path, *packages: str) -> Path:
    """The Python of a new environment with these packages."""
    venv.create(folder / "venv")
    python = folder / "venv" / "bin" / "python"
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    run(*pip, "install", "--quiet", *packages, cwd=folder)
    return python


def test_newest_python(locum: Locum, backend: CompletionBackend) -> None:
    play_in_python(sys.executable, locum, backend)


def test_old_python(locum: Locum, backend: CompletionBackend, tmp_path: Path) -> None:
    play_in_python(installed(tmp_path, OLD_PYTHON_CLIENT), locum, backend)


@pytest.mark.parametrize(("package", "scenarios"), V1_CLIENTS)
def test_python_of_v1(package: str, scenarios: int, locum: Locum, backend: CompletionBackend, tmp_path: Path) -> None:
    python = installed(tmp_path, package, "httpx<0.28")
    play(python, "-m", "tests.sdk.v1_client", cwd=ROOT, locum=locum, backend=backend, scenarios=scenarios)


def test_node(locum: Locum, backend: CompletionBackend, node_client: NodeClient, watch: Watch) -> None:
    program = [node_client.node, "--import", "./recorded_streams.mjs", "main.mjs"]
    play(*program, cwd=node_client.folder, locum=locum, backend=backend)
    streams = watch.streams
    watch.read(node_client.folder / "streams.jsonl")
    assert watch.streams > streams
