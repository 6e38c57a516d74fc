"""Whatever code takes, its session costs the machine little more than its limits, seen from outside as it runs."""

import os
from collections.abc import Iterator

import pytest

from tests.sandbox.attacks import is_responsive
from tests.sandbox.conftest import host_of_kind
from tests.sandbox.costs import measured
from tests.sandbox.hogs import HOGS, LIMITS
from tests.sandbox.hosts import Host, run
from workers.sandbox import SandboxClient, SandboxSession

#: Of bwrap and of the process 1 that it leaves inside, or of the guardian in a container.
_NOT_OF_THE_CODE = 2
_SLACK = 1.2
#: Of what is held by looks alone: names of files are made, and without a control group memory is filled, faster than a
#: busy machine looks.
_SLACK_OF_LOOKS = 2.5

#: What is to be seen of some, or they would show nothing.
_TAKEN = {
    "memory of many processes": "memory_bytes",
    "memory in files": "memory_bytes",
    "processes": "processes",
    "disk": "disk_bytes",
    "files": "files",
}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the accounts of other users' processes are root's to read")


@pytest.fixture(scope="module", params=["bubblewrap", "unprivileged", "docker"])
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    with host_of_kind(request, **LIMITS) as running:
        yield running


@pytest.mark.parametrize("what", HOGS)
async def test_no_session_costs_more_than_its_limit(
    session: SandboxSession, client: SandboxClient, host: Host, what: str
) -> None:
    async with measured(host, session) as costs:
        await run(session, HOGS[what])
    held = host.stats()["held"]
    if (taken := _TAKEN.get(what)) is not None:
        assert getattr(costs, taken) > LIMITS[taken] / 2, f"{what} was not tried: {costs}"
    assert costs.processes <= _SLACK * LIMITS["processes"] + _NOT_OF_THE_CODE
    assert costs.files <= _SLACK_OF_LOOKS * LIMITS["files"]
    in_containers = host.stats()["launcher"] == "docker"
    if what == "disk of removed files" and in_containers:
        pytest.skip("processes of containers are not looked at: docs/sandbox.md")
    assert costs.disk_bytes <= (_SLACK_OF_LOOKS if in_containers else _SLACK) * LIMITS["disk_bytes"]
    slack = _SLACK if held["memory"].startswith("control group") else _SLACK_OF_LOOKS
    assert costs.memory_bytes <= slack * LIMITS["memory_bytes"]
    if held["cpu"].startswith("control group"):
        assert costs.cpus <= _SLACK
    await is_responsive(client, host)
