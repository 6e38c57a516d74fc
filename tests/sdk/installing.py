"""Running commands, and installing clients, for the tests of this folder."""

import os
import subprocess
from pathlib import Path

import pytest

OLDEST_NODE = 20


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """What a command prints. Fails the test, showing it, if the command does."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LOCUM_", "OPENAI_"))}
    done = subprocess.run(
        command, cwd=cwd, env={**inherited, **variables}, capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode != 0:
        pytest.fail(f"{Path(command[0]).name} ended with status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def skip_without_node() -> None:
    """Skips the test where Node or npm are missing or too old for the client."""
    try:
        versions = [
            subprocess.run([name, "--version"], capture_output=True, text=True, timeout=60, check=True).stdout
            for name in ("node", "npm")
        ]
    except FileNotFoundError as error:
        pytest.skip(f"{error.filename} is not installed")
    if int(versions[0].lstrip("v").partition(".")[0]) < OLDEST_NODE:
        pytest.skip(f"Node {versions[0].strip()} is older than {OLDEST_NODE}")
