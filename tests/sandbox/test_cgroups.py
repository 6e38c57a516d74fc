"""Control groups of kernels: what is set in them, and whose group is divided. On what of them this machine has."""

import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import delegation, hierarchies
from sandbox.hierarchies import Mount
from tests.running import wait_for
from tests.sandbox.hosts import LIMITS, Host, begin_host, run, run_host, stop
from workers.sandbox import SandboxClient

_CONTROLLERS = ("memory", "pids", "cpu")
#: A group's file, and what must be in it, for what hosts of tests are told. bwrap and its process 1 are counted, too.
_PROCESSES = str(LIMITS["processes"] + 2)
_LIMITS = {
    1: {
        "memory.limit_in_bytes": str(LIMITS["memory_bytes"]),
        "memory.memsw.limit_in_bytes": str(LIMITS["memory_bytes"]),
        "pids.max": _PROCESSES,
        "cpu.cfs_quota_us": "100000",
        "cpu.cfs_period_us": "100000",
    },
    2: {
        "memory.max": str(LIMITS["memory_bytes"]),
        "memory.swap.max": "0",
        "pids.max": _PROCESSES,
        "cpu.max": "100000 100000",
    },
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of the test's own, that other accounts can pass."""
    made = Path(tempfile.mkdtemp(prefix="locum-sandbox-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def _mounted() -> list[Mount]:
    return list(hierarchies.mounts(Path("/proc/self/mountinfo").read_text()))


@pytest.fixture
def top() -> Path:
    """Where groups of version 2 can be made, with controllers or without."""
    found = [mount.point for mount in _mounted() if mount.controllers is None and os.access(mount.point, os.W_OK)]
    if not found:
        pytest.skip("no control groups of version 2 can be made here")
    return found[0]


@contextlib.contextmanager
def _unit(top: Path, name: str) -> Iterator[Path]:
    """A group of version 2, as systemd has one for each unit; it is removed with what is in it."""
    made = top / f"locum-test-{secrets.token_hex(4)}{name}"
    made.mkdir()
    try:
        yield made
    finally:
        wait_for(lambda: _is_removed(made), "the group to be empty")


def _is_removed(group: Path) -> bool:
    with contextlib.suppress(OSError):
        for inner in group.iterdir():
            if inner.is_dir():
                inner.rmdir()
        group.rmdir()
    return not group.exists()


@contextlib.contextmanager
def _processes_in(group: Path, count: int) -> Iterator[list[int]]:
    started = [subprocess.Popen(["sleep", "600"]) for _ in range(count)]
    try:
        for process in started:
            (group / "cgroup.procs").write_text(str(process.pid))
        yield [process.pid for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()


def _groups_of(pid: int) -> dict[str, str]:
    return hierarchies.own_groups(Path(f"/proc/{pid}/cgroup").read_text())


def _kernel_of(folder: Path) -> int:
    """A process of the kernel of the one session."""
    mark = str(folder / "sandbox" / "sessions").encode()
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and mark in (process / "cmdline").read_bytes():
                return int(process.name)
    raise AssertionError("no kernel runs")


async def _check_limits(host: Host, folder: Path) -> None:
    """A session's kernel has the limits that the host was told, in a group that goes with it."""
    client = SandboxClient(host.url, host.token)
    try:
        session = await client.open("thread_1")
        own = _groups_of(_kernel_of(folder))
        version = int(host.stats()["held"]["control groups"].removeprefix("version "))
        wanted = dict(_LIMITS[version])
        groups = {
            mount.folder(own[controller if version == 1 else ""])
            for mount in _mounted()
            for controller in _CONTROLLERS
            if (controller in (mount.controllers or ()) if version == 1 else mount.controllers is None)
        }
        for group in groups:
            assert group.name.startswith("locum-sandbox-")
            for name in [name for name in wanted if (group / name).exists()]:
                assert (group / name).read_text().strip() == wanted.pop(name), name
        # A kernel without swap has no limit of it.
        assert set(wanted) <= {"memory.memsw.limit_in_bytes", "memory.swap.max"}
        assert (await run(session, "print(1)")).stdout == "1\n"
        await session.close()
        wait_for(lambda: not any(group.exists() for group in groups), "the groups to be removed")
    finally:
        await client.close()


async def test_the_limits_of_a_kernel_are_set_in_its_groups(folder: Path) -> None:
    with run_host(folder, warm=0) as host:
        lacks = host.stats()["lacks"]
        if "control groups" in lacks:
            pytest.skip(lacks["control groups"])
        await _check_limits(host, folder)


async def test_a_unit_that_systemd_has_delegated_is_divided(folder: Path, top: Path) -> None:
    if "memory" not in (top / "cgroup.controllers").read_text().split():
        pytest.skip("version 2 has no memory controller here")
    with _unit(top, ".service") as unit, _processes_in(unit, 2) as others:
        os.setxattr(unit, "user.delegate", b"1")
        process, host = begin_host(folder, warm=0)
        (unit / "cgroup.procs").write_text(str(process.pid))
        try:
            wait_for(lambda: "sandbox ready" in host.log.read_text(), "the host")
            inner = f"/{unit.name}/{delegation.INNER}"
            assert {_groups_of(pid)[""] for pid in (process.pid, *others)} == {inner}
            await _check_limits(host, folder)
        finally:
            stop(process)


def test_processes_are_moved_out_of_a_groups_way(top: Path) -> None:
    with _unit(top, "") as group, _processes_in(group, 3) as pids:
        delegation.vacate(group)
        assert (group / "cgroup.procs").read_text() == ""
        assert sorted((group / delegation.INNER / "cgroup.procs").read_text().split()) == sorted(map(str, pids))
        delegation.vacate(group)


def _fake(folder: Path, **files: str) -> Path:
    """A folder like a group's, that is not the root of the machine."""
    folder.mkdir(parents=True)
    for name, text in {"cgroup.type": "domain", "cgroup.procs": "", "cgroup.subtree_control": "", **files}.items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("name", ["a.service", "session-1.scope"])
def test_a_unit_that_is_not_delegated_is_left_alone(tmp_path: Path, name: str) -> None:
    unit = _fake(tmp_path / name, **{"cgroup.subtree_control": "memory pids cpu"})
    before = sorted(unit.iterdir())
    with pytest.raises(PermissionError, match="Delegate=yes"):
        delegation.enable(unit, _CONTROLLERS)
    assert sorted(unit.iterdir()) == before


def test_a_group_without_systemd_gives_its_controllers(tmp_path: Path) -> None:
    group = _fake(tmp_path / "group")
    delegation.enable(group, _CONTROLLERS)
    assert (group / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"


def test_a_group_whose_processes_stay_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="cannot be moved"):
        delegation.vacate(_fake(tmp_path / "group", **{"cgroup.procs": "4194304"}))


@pytest.mark.parametrize(
    ("own", "given"),
    [
        ("/user.slice/user-1.slice/user@1.service/app.slice/run-1.scope", ""),
        # Restarted by what it was started by, which it has moved; or put deeper by systemd's DelegateSubgroup=.
        ("/system.slice/locum.service/locum-sandbox-host", "/system.slice/locum.service"),
        ("/system.slice/locum.service/main", "/system.slice/locum.service"),
        # Without systemd.
        ("/locum", ""),
        ("/locum/locum-sandbox-host", "/locum"),
        # In a container, whose own group is the top of what it sees.
        ("/", ""),
        ("/locum-sandbox-host", "/"),
    ],
)
def test_the_group_that_can_be_ours(own: str, given: str) -> None:
    mount = Mount(Path("/sys/fs/cgroup"), "/", None)
    assert delegation.group_of(mount.folder(own), mount.point) == mount.folder(given or own)
