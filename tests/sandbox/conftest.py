"""A host for each launcher; what is not there on this machine is skipped, and said."""

import os
import secrets
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.sandbox.hosts import Host, run_host
from workers.sandbox import SandboxClient, SandboxSession


@pytest.fixture(scope="session", params=["bubblewrap", "unprivileged", "docker"])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host of each kind: bubblewrap as who we are, bubblewrap without any rights, and Docker."""
    kind, settings = request.param, {}
    if kind == "docker":
        if not request.config.getoption("--deployment"):
            pytest.skip("needs a Docker engine: make test-deployment")
        settings = request.getfixturevalue("docker_settings")
    elif kind == "unprivileged" and os.geteuid() != 0:
        pytest.skip("we have no rights to give up: bubblewrap is the same")
    folder = tmp_path_factory.mktemp(kind)
    with run_host(folder, unprivileged=kind == "unprivileged", **settings) as running:
        yield running


@pytest.fixture
async def client(host: Host) -> AsyncIterator[SandboxClient]:
    """The client that workers have."""
    opened = SandboxClient(host.url, host.token)
    yield opened
    await opened.close()


@pytest.fixture
async def session(client: SandboxClient) -> AsyncIterator[SandboxSession]:
    """A session that no other test uses."""
    opened = await client.open(f"thread_{secrets.token_hex(8)}")
    yield opened
    await opened.close()
