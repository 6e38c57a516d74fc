"""The host's background work: what breaks is begun again, and whoever asks how the host is gets to know."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import sandbox_host
from app.settings import Settings
from tests.running import wait_for
from tests.sandbox.hosts import Host, run, run_host
from workers.sandbox import SandboxClient


@pytest.fixture
def own_host() -> Iterator[Host]:
    """A host of the test's own."""
    folder = Path(tempfile.mkdtemp(prefix="locum-sandbox-"))
    try:
        with run_host(folder, warm=0) as running:
            yield running
    finally:
        shutil.rmtree(folder)


async def test_a_watch_that_breaks_is_told_and_goes_on(own_host: Host) -> None:
    settings = Settings(sandbox_url=own_host.url, sandbox_token=own_host.token)
    told = await sandbox_host.ask(settings)
    assert told.problem is None
    assert {"memory", "processes", "system calls", "namespaces", "disk and files", "control groups"} <= set(told.held)
    assert ("control groups" in told.lacks) == (told.held["control groups"] == "none")

    sessions = own_host.folder / "sandbox" / "sessions"
    sessions.rename(sessions.with_name("aside"))
    wait_for(lambda: own_host.stats()["restarts"]["watch"] > 0, "the watch to break")
    assert "watch was begun again" in str((await sandbox_host.ask(settings)).problem)
    assert "background_work_broke" in own_host.log.read_text()

    sessions.with_name("aside").rename(sessions)
    client = SandboxClient(own_host.url, own_host.token)
    session = await client.open("thread_1")
    code = "import time\nfor n in range(13_000): open(str(n), 'w').close()\ntime.sleep(30)"
    assert (await run(session, code)).status == "died"
    await client.close()
    wait_for(lambda: own_host.stats()["troubles"] == [], "the host to be well again", 20)
