"""Clients that have to be installed, once for all tests that use them."""

import shutil
from pathlib import Path

import pytest

from tests.sdk.installing import run, skip_without_node


@pytest.fixture(scope="session")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the Node scenarios with the client installed: Node looks for packages beside the files that ask."""
    skip_without_node()
    folder = shutil.copytree(Path(__file__).parent / "node_client", tmp_path_factory.mktemp("node") / "client")
    run("npm", "install", "--silent", "--no-audit", "--no-fund", "--no-package-lock", cwd=folder)
    return folder
