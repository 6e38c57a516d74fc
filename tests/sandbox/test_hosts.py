"""A host's life: what it keeps to, what it leaves behind, and what it says when it cannot run."""

import asyncio
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.deployment.engine import Engine
from tests.running import free_port, wait_for
from tests.sandbox.hosts import Host, begin_host, run, run_host, running, start_host, stop
from workers.sandbox import SandboxClient, SandboxFailure


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of the test's own."""
    made = Path(tempfile.mkdtemp(prefix="locum-sandbox-"))
    yield made
    shutil.rmtree(made)


@asynccontextmanager
async def client_of(host: Host) -> AsyncIterator[SandboxClient]:
    client = SandboxClient(host.url, host.token)
    try:
        yield client
    finally:
        await client.close()


def _kernels(folder: Path) -> list[str]:
    """The processes that were started on a folder."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if str(folder / "sandbox" / "sessions").encode() in (process / "cmdline").read_bytes():
                found.append(process.name)
        except OSError:
            continue
    return found


async def test_idle_sessions_end_and_busy_ones_do_not(folder: Path) -> None:
    with run_host(folder, idle_seconds=1, warm=0) as host:
        async with client_of(host) as client:
            idle, busy = await asyncio.gather(client.open("idle"), client.open("busy"))
            async with running(busy, "print('on', flush=True)\nimport time\ntime.sleep(15)"):
                await asyncio.to_thread(wait_for, lambda: host.stats()["sessions"] == 1, "the idle one to end")
                with pytest.raises(SandboxFailure) as lost:
                    await run(idle, "1")
                assert lost.value.is_lost
                assert (await client.open("idle")).created
                assert not (await client.open("busy")).created


async def test_the_longest_idle_session_makes_room_and_busy_ones_do_not(folder: Path) -> None:
    with run_host(folder, max_sessions=2, warm=0) as host:
        async with client_of(host) as client:
            first, second = await client.open("first"), await client.open("second")
            await run(first, "1")  # now the second is idle for longer
            third = await client.open("third")
            assert not (await client.open("first")).created
            with pytest.raises(SandboxFailure) as lost:
                await second.files()
            assert lost.value.is_lost
            on = "print('on', flush=True)\nimport time\ntime.sleep(15)"
            async with running(first, on), running(third, on):
                with pytest.raises(SandboxFailure) as busy:
                    await client.open("fourth")
                assert busy.value.code == "sessions_busy"


async def test_a_killed_host_leaves_nothing_running_and_starts_clean(folder: Path) -> None:
    process, host = start_host(folder, warm=1)
    try:
        async with client_of(host) as client:
            session = await client.open("thread_1")
            await session.put("a.txt", b"lost")
            async with running(session, "print('on', flush=True)\nwhile True: pass") as task:
                assert _kernels(folder)
                process.kill()
                process.wait()
                with pytest.raises(SandboxFailure) as cut:
                    await task
            assert cut.value.code == "unavailable"
            wait_for(lambda: not _kernels(folder), "the kernels to end with their host")
        again, host = start_host(folder, warm=0)
        try:
            async with client_of(host) as client:
                reopened = await client.open("thread_1")
                assert reopened.created
                assert await reopened.files() == []
                assert len(list((folder / "sandbox" / "sessions").iterdir())) == 1
        finally:
            stop(again)
    finally:
        stop(process)


def test_a_killed_host_leaves_no_container_running(
    folder: Path, engine: Engine, docker_settings: dict[str, Any]
) -> None:
    mark = hashlib.sha256(os.fsencode(folder / "sandbox")).hexdigest()[:16]

    def containers(*options: str) -> str:
        return engine.docker("ps", "--quiet", f"--filter=label=locum.sandbox={mark}", *options)

    process, host = start_host(folder, **docker_settings, warm=1)
    try:
        wait_for(lambda: host.stats()["warm"] == 1, "a warm kernel", 30)
        assert containers()
        process.kill()
        wait_for(lambda: not containers(), "the container to end with its host")
        again, _ = start_host(folder, **docker_settings, warm=0)
        stop(again)
        assert not containers("--all")
    finally:
        stop(process)


async def test_a_stopped_host_ends_what_runs_and_removes_all(folder: Path) -> None:
    process, host = start_host(folder)
    try:
        async with client_of(host) as client:
            session = await client.open("thread_1")
            async with running(session, "print('on', flush=True)\nwhile True: pass") as task:
                process.send_signal(signal.SIGTERM)
                await asyncio.wait({task}, timeout=15)
        assert await asyncio.to_thread(process.wait, 15) == 0
        assert not _kernels(folder)
        assert not (folder / "sandbox" / "sessions").exists()
    finally:
        stop(process)


def test_a_host_that_is_stopped_while_it_comes_up_ends_well(folder: Path) -> None:
    process, _ = begin_host(folder)

    def catches_sigterm() -> bool:
        status = Path(f"/proc/{process.pid}/status").read_text()
        caught = int(status.partition("SigCgt:")[2].split()[0], 16)
        return bool(caught & 1 << (signal.SIGTERM - 1))

    wait_for(catches_sigterm, "the host to be asked to end", 20)
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
    assert not _kernels(folder)
    assert not (folder / "sandbox" / "sessions").exists()


async def test_a_kernel_that_waits_is_there_at_once(folder: Path) -> None:
    with run_host(folder, warm=1) as host:
        wait_for(lambda: host.stats()["warm"] == 1, "a warm kernel", 20)
        async with client_of(host) as client:
            began = time.monotonic()
            session = await client.open("thread_1")
            opened = time.monotonic() - began
            assert (await run(session, "print(1)")).stdout == "1\n"
            # Not a measure of speed (benchmarks/sandbox.py is): a cold start takes longer on any machine.
            assert opened < 0.4


def _refused(folder: Path, **settings: str) -> str:
    """What a host that does not come up says."""
    own = {"LOCUM_SANDBOX_DIR": str(folder / "sandbox"), "LOCUM_SANDBOX_TOKEN": "t", **settings}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCUM_")} | own
    command = [sys.executable, "-m", "app.cli", "sandbox"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1, ended.stderr
    return ended.stderr


def test_what_is_missing_is_one_line(folder: Path) -> None:
    assert _refused(folder, LOCUM_SANDBOX_TOKEN="") == "locum: LOCUM_SANDBOX_TOKEN is not set\n"
    missing = _refused(folder, LOCUM_SANDBOX_ENVIRONMENT=str(folder / "none"))
    assert "run `locum sandbox-setup`" in missing
    engine = _refused(folder, LOCUM_SANDBOX_LAUNCHER="docker", LOCUM_SANDBOX_DOCKER_HOST=f"unix://{folder}/none.sock")
    assert "The Docker engine at" in engine


def test_a_folder_that_is_in_use_or_open_to_others_is_refused(folder: Path) -> None:
    with run_host(folder, warm=0):
        assert "Another sandbox host uses the folder" in _refused(folder, LOCUM_SANDBOX_PORT=str(free_port()))
    (folder / "sandbox").chmod(0o755)
    assert "must belong to this user and be closed to others" in _refused(folder)
