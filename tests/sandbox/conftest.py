"""A host for each launcher; what is not there on this machine is skipped, and said."""

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.embedded.owned import NOBODY
from tests.deployment.engine import Engine
from tests.sandbox import image
from tests.sandbox.hosts import Host, run_host
from workers.sandbox import SandboxClient, SandboxSession


@pytest.fixture(scope="session", params=["bubblewrap", "docker"])
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    """A host of each kind: bubblewrap as who we are, bubblewrap without any rights, and Docker."""
    with host_of_kind(request) as running:
        yield running


@contextlib.contextmanager
def host_of_kind(request: pytest.FixtureRequest, **changed: object) -> Iterator[Host]:
    """The host of the kind that is the parameter of `request`, with settings of its own."""
    kind, settings = request.param, {}
    if kind == "docker":
        if request.config.getoption("--docker") == "no":
            pytest.skip("needs a Docker engine: make test-deployment")
        settings = request.getfixturevalue("docker_settings")
    elif kind == "unprivileged" and os.geteuid() != 0:
        pytest.skip("we have no rights to give up: bubblewrap is the same")
    # Not below pytest's folder, which is closed to other accounts.
    folder = Path(tempfile.mkdtemp(prefix="locum-sandbox-"))
    if kind == "unprivileged":
        os.chown(folder, NOBODY, NOBODY)
    try:
        with run_host(folder, unprivileged=kind == "unprivileged", **{**settings, **changed}) as running:
            yield running
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def docker_settings(engine: Engine) -> dict[str, object]:
    """Settings of a host that launches by Docker; the image is made."""
    image.make_image(engine)
    return {"launcher": "docker", "docker_host": f"unix://{engine.folder}/docker.sock", "image": image.IMAGE}


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test on Docker waits for an image to be built."""
    for item in items:
        on_docker = "docker" in getattr(getattr(item, "callspec", None), "params", {}).values()
        if on_docker or "docker_settings" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(900))
