"""Kernels that are kept ready: as many as were asked for in one moment lately."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.memory import available_bytes
from tests.running import wait_for
from tests.sandbox.hosts import Host, run, run_host
from workers.sandbox import SandboxClient


@pytest.fixture
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("warm")
    with run_host(folder, warm=1, max_sessions=8) as running:
        yield running


async def test_after_a_burst_as_many_are_ready(host: Host, client: SandboxClient) -> None:
    wait_for(lambda: host.stats()["warm"] == 1, "a warm kernel", 30)
    sessions = await asyncio.gather(*(client.open(f"first_{number}") for number in range(5)))
    assert [(await run(session, "print(1)")).stdout for session in sessions] == ["1\n"] * 5
    await asyncio.to_thread(wait_for, lambda: host.stats()["warm"] == 5, "five warm kernels", 30)
    again = await asyncio.gather(*(client.open(f"second_{number}") for number in range(3)))
    assert len({session.id for session in [*sessions, *again]}) == 8
    assert all([(await run(session, "print(2)")).stdout == "2\n" for session in again])


def test_there_is_memory_to_be_had() -> None:
    total = int(Path("/proc/meminfo").read_text().split()[1]) * 1024
    assert 0 < available_bytes() < total
