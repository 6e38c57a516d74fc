"""The embedded servers and the machinery that keeps them."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from app.embedded import identity, leftovers, local_model, owned, ports, postgres, valkey
from app.embedded.errors import CannotStart
from app.embedded.folder import DataFolder
from app.embedded.logs import PartLog
from app.embedded.part import Part, Program
from app.embedded.postgres import Postgres
from app.embedded.stack import EmbeddedStack, Supervisor
from app.embedded.valkey import Valkey
from tests.running import wait_for

_SLEEP = "import time; time.sleep(600)"


async def _always() -> bool:
    return True


async def until(condition: Callable[[], object], seconds: float = 10) -> None:
    """Returns when `condition` is true, while the loop goes on."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - processes set no events
            await asyncio.sleep(0.01)


def _sizes(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_size for file in folder.iterdir()}


def _python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


async def test_the_servers_keep_what_they_are_told(tmp_path: Path) -> None:
    for value in (1, 2):
        async with EmbeddedStack(tmp_path).running() as urls:
            with psycopg.connect(urls.database_url, autocommit=True) as connection:
                connection.execute("CREATE TABLE IF NOT EXISTS kept (value int)")
                connection.execute("INSERT INTO kept VALUES (1)")
                assert connection.execute("SELECT count(*) FROM kept").fetchone() == (value,)
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            with Redis.from_url(urls.redis_url) as redis:
                assert redis.incr("kept") == value
    # Where the path is too long for sockets, they have a folder elsewhere, which goes with them.
    sockets = DataFolder(tmp_path).sockets
    assert not sockets.exists() or list(sockets.iterdir()) == []


async def test_a_long_path_has_its_sockets_elsewhere(tmp_path: Path) -> None:
    root = tmp_path / ("long" * 25)
    async with EmbeddedStack(root).running() as urls:
        sockets = DataFolder(root).sockets
        assert sockets.parent == Path(tempfile.gettempdir())
        assert sockets.stat().st_mode & 0o077 == 0
        with psycopg.connect(urls.database_url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not sockets.exists()


def test_sockets_in_a_folder_of_others_are_refused(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / ("long" * 25))
    folder.sockets.mkdir(mode=0o755)
    try:
        with pytest.raises(CannotStart, match="closed to others: remove it"):
            folder.make()
    finally:
        folder.sockets.rmdir()


@pytest.mark.parametrize(
    ("version", "expected"),
    [("16\n", "was made by Postgres 16, this is 18"), ("garbage", "is damaged"), (None, "is damaged")],
)
async def test_a_cluster_that_is_not_ours_is_refused(version: str | None, expected: str, tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    if version is not None:
        (tmp_path / "postgres" / "PG_VERSION").write_text(version)
    with pytest.raises(CannotStart, match=expected):
        async with EmbeddedStack(tmp_path).running():
            pass


async def test_a_cluster_that_postgres_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    async with EmbeddedStack(tmp_path).running():
        pass
    (tmp_path / "postgres" / "global" / "pg_control").write_bytes(b"garbage" * 100)
    with pytest.raises(CannotStart, match=r"^postgres does not start: .*pg_control|incompatible") as refused:
        async with EmbeddedStack(tmp_path).running():
            pass
    assert "\n" not in str(refused.value)


async def test_a_log_that_valkey_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    async with EmbeddedStack(tmp_path).running():
        pass
    (tmp_path / "valkey" / "appendonlydir" / "appendonly.aof.manifest").write_text("garbage\n")
    with pytest.raises(CannotStart, match="^valkey does not start: ") as refused:
        async with EmbeddedStack(tmp_path).running():
            pass
    assert "\n" not in str(refused.value)


async def test_servers_that_outlived_their_supervisor_are_ended(tmp_path: Path) -> None:
    """As if the kernel had not ended them: they were started by no child of ours."""
    folder = DataFolder(tmp_path)
    async with EmbeddedStack(tmp_path).running():
        pass
    folder.make()
    strays = []
    for program in (Postgres(folder).program(), Valkey(folder).program()):
        command = identity.wrapped(program.command, identity=program.identity)
        stray = await asyncio.create_subprocess_exec(*command, stdout=-3, stderr=-3)
        strays.append(stray)
    await until(lambda: leftovers.find(folder.postgres) and leftovers.find(folder.valkey))
    async with EmbeddedStack(tmp_path).running() as urls:
        assert [await stray.wait() for stray in strays] == [0, 0]
        with psycopg.connect(urls.database_url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


async def test_a_shell_in_the_data_folder_is_left_alone(tmp_path: Path) -> None:
    bystander = await asyncio.create_subprocess_exec(*_python(_SLEEP), cwd=tmp_path)
    leftovers.end(tmp_path, [signal.SIGKILL], 1)
    assert bystander.returncode is None
    bystander.kill()
    await bystander.wait()


async def test_a_stale_process_id_stops_nothing(tmp_path: Path) -> None:
    """Process ids are used again: the file may name a process that has nothing to do with it."""
    async with EmbeddedStack(tmp_path).running():
        pass
    (tmp_path / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{tmp_path / 'postgres'}\n")
    async with EmbeddedStack(tmp_path).running():
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has the choice")
async def test_as_the_account_nobody_where_user_namespaces_are_closed() -> None:
    # Not below pytest's own folder, which is closed to all but us.
    with tempfile.TemporaryDirectory() as root:
        folder = DataFolder(Path(root))
        supervisor = Supervisor(folder.logs, lambda _: None)
        with folder.locked():
            server = Postgres(folder, runs_as="nobody")
            try:
                await supervisor.start(server.program())
            except CannotStart as error:
                if "bin/postgres: " in str(error):  # the programs lie where that account cannot come
                    pytest.skip(str(error))
                raise
            try:
                with psycopg.connect(server.url) as connection:
                    assert connection.execute("SELECT 1").fetchone() == (1,)
                assert folder.postgres.stat().st_uid == owned.NOBODY
            finally:
                await supervisor.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has the choice")
async def test_a_folder_that_nobody_cannot_come_to_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    folder = DataFolder(closed / "data")
    with folder.locked(), pytest.raises(CannotStart, match=r"is closed to it\. Start Locum as an ordinary user"):
        await Postgres(folder, runs_as="nobody").program().prepare()
    assert closed.stat().st_mode & 0o777 == 0o700


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = DataFolder(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr("shutil.which", lambda _: None)
    for make in (lambda: postgres.Postgres(folder), lambda: valkey.Valkey(folder), local_model.find_weights):
        with pytest.raises(CannotStart, match=r"locum-server\[embedded\]"):
            make()


async def test_a_part_that_will_not_live_is_tried_ever_more_slowly(tmp_path: Path) -> None:
    said: list[str] = []
    runs, ending = tmp_path / "runs", tmp_path / "ending"
    runs.write_text("")
    code = f"""
import pathlib, sys, time
runs, ending = pathlib.Path({str(runs)!r}), pathlib.Path({str(ending)!r})
while not ending.exists():
    time.sleep(0.01)
runs.write_text(runs.read_text() + "x")
sys.exit(3)
"""

    async def is_ready() -> bool:
        return not ending.exists()

    part = Part(Program("short", _python(code), is_ready), tmp_path, said.append)
    await part.start()
    part.keep()
    ending.touch()
    await until(lambda: len(runs.read_text()) >= 3)
    await part.stop()
    assert said[0] == "short ended (status 3) and is started again"
    assert "short does not start: it ended without a word" in said
    assert len(runs.read_text()) <= 4


async def test_a_part_that_will_not_end_is_killed(tmp_path: Path) -> None:
    said: list[str] = []
    code = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {_SLEEP}"
    log = tmp_path / "deaf.log"

    async def is_ready() -> bool:
        return "deaf" in log.read_text()

    part = Part(Program("deaf", _python(code), is_ready, stop_seconds=0.1), tmp_path, said.append)
    await part.start()
    part.keep()
    await part.stop()
    assert part.pid is None
    assert said == ["deaf did not end in time and was killed"]


async def test_told_twice_to_end_they_are_killed(tmp_path: Path) -> None:
    code = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {_SLEEP}"
    log = tmp_path / "deaf.log"

    async def is_ready() -> bool:
        return "deaf" in log.read_text()

    supervisor = Supervisor(tmp_path, lambda _: None)
    await supervisor.start(Program("deaf", _python(code), is_ready, stop_seconds=600))
    stopping = asyncio.create_task(supervisor.stop())
    await asyncio.sleep(0)
    supervisor.kill()
    await asyncio.wait_for(stopping, 10)


async def test_a_part_that_is_never_ready_is_given_up(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    part = Part(Program("slow", _python(_SLEEP), never, start_seconds=0.2), tmp_path, lambda _: None)
    with pytest.raises(CannotStart, match="^slow is not ready after 0 seconds$"):
        await part.start()
    assert part.pid is None
    await part.stop()


async def test_parts_end_in_the_opposite_order(tmp_path: Path) -> None:
    record = tmp_path / "record"
    code = (
        "import signal, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n"
        "print('ready', flush=True)\n"
        "signal.sigwait({signal.SIGTERM})\n"
        "open(sys.argv[1], 'a').write(sys.argv[2])"
    )

    def program(name: str) -> Program:
        async def is_ready() -> bool:
            return "ready" in (tmp_path / f"{name}.log").read_text()

        return Program(name, _python(code, str(record), name), is_ready)

    supervisor = Supervisor(tmp_path, lambda _: None)
    for name in "abc":
        await supervisor.start(program(name))
    await supervisor.stop()
    assert record.read_text() == "cba"


async def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    """With a parent of its own, which is killed."""
    code = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from app.embedded.part import Part, Program\n"
        "async def ready(): return True\n"
        "async def main():\n"
        f"    part = Part(Program('child', [sys.executable, '-c', {_SLEEP!r}], ready), Path(sys.argv[1]), print)\n"
        "    await part.start()\n"
        "    print(part.pid, flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())"
    )
    parent = await asyncio.create_subprocess_exec(*_python(code, str(tmp_path)), stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    child = Path("/proc") / (await parent.stdout.readline()).decode().strip()
    assert child.exists()
    parent.kill()
    await parent.wait()
    wait_for(lambda: not child.exists() or "State:\tZ" in (child / "status").read_text(), "the child to end")


async def test_logs_stay_small_and_warnings_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.embedded.logs._LIMIT_BYTES", 1000)
    said: list[str] = []
    log = PartLog(tmp_path, "part", said.append, warning=r"\[warning\]", record=r"\d")
    stream = asyncio.StreamReader(limit=200)
    for line in ("1 [info] fine\n", "2 [warning] not fine\n", "  since then\n", "3 [info] fine\n", "x" * 500 + "\n"):
        stream.feed_data(line.encode())
    for _ in range(100):
        stream.feed_data(b"4 [info] " + b"y" * 50 + b"\n")
    stream.feed_data(b"\xff the end")
    stream.feed_eof()
    await log.copy(stream)
    log.close()
    assert said == ["part: 2 [warning] not fine", "part:   since then"]
    sizes = _sizes(tmp_path)
    assert sizes.keys() == {"part.log", "part.log.1"}
    assert max(sizes.values()) < 1200
    assert (tmp_path / "part.log").read_text(errors="replace").endswith("\ufffd the end")


async def test_a_log_that_cannot_be_written_keeps_nobody_waiting(tmp_path: Path) -> None:
    (tmp_path / "part.log").symlink_to("/dev/full")
    said: list[str] = []
    log = PartLog(tmp_path, "part", said.append, warning=None, record="")
    stream = asyncio.StreamReader()
    stream.feed_data(b"first\nsecond\n")
    stream.feed_eof()
    await log.copy(stream)
    log.close()
    assert list(log.tail) == ["first", "second"]
    assert said == ["part: its log cannot be written: No space left on device"]


def test_ports() -> None:
    port = ports.free()
    ports.check("127.0.0.1", port)
    ports.check("localhost", port)
    with pytest.raises(CannotStart, match="cannot listen on no.such.host.invalid: "):
        ports.check("no.such.host.invalid", port)
