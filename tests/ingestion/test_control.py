"""What the machine does wrong is not the file's fault: it is tried again, told, and shown by the doctor."""

import asyncio
import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
import uvloop
from openai import OpenAI
from structlog.testing import capture_logs

from app.confinement.doors import HELD, Layers
from app.settings import Settings
from tests.api.stored_files import ended, new_store, upload
from tests.ingestion import samples
from tests.ingestion.test_parsing import parser, under_way
from tests.running import Locum, wait_for
from tests.sandbox.hosts import as_nobody
from workers.ingestion import control, kinds, parser_process, parsing
from workers.ingestion.parsed import Unparsable
from workers.ingestion.parsing import ParserLost
from workers.ingestion.process import tell

CONTROL = [sys.executable, "-m", "workers.ingestion.control"]


async def test_a_file_of_every_kind_is_read_here() -> None:
    assert {*control.KINDS} == {*kinds._DOCUMENTS, kinds.TEXT}
    assert list(await control.problems(parser())) == []


async def test_a_damaged_file_is_its_own_fault_where_others_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "stored"
    path.write_bytes(samples.pdf(["x"])[:200])
    for kind in ("pdf", kinds.UNKNOWN):
        with pytest.raises(Unparsable, match="damaged"):
            await control.parse_with_control(parser(), path, kind)


async def test_no_file_is_blamed_where_a_good_one_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong, and however a library tells it: here the good file has been spoilt on the disk."""
    shutil.copytree(control._FOLDER, tmp_path / "control")
    (tmp_path / "control" / "owls.pdf").write_bytes(b"%PDF-1.4 spoilt")
    monkeypatch.setattr(control, "_FOLDER", tmp_path / "control")
    path = tmp_path / "stored"
    path.write_bytes(samples.pdf(["x"])[:200])
    for kind in ("pdf", kinds.UNKNOWN):
        with pytest.raises(ParserLost, match="no pdf file can be read here: The file is damaged"):
            await control.parse_with_control(parser(), path, kind)


@pytest.mark.parametrize(
    ("cause", "is_of_the_system"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (PermissionError(errno.EACCES, "Permission denied"), True),
        (FileNotFoundError(errno.ENOENT, "No such file"), True),
        (ImportError("libpdfium.so: cannot open shared object file"), True),
        (OSError("not a GZIP file"), False),  # as libraries complain of data
        (OSError(errno.EOVERFLOW, "Value too large"), False),  # a date of the year 10,000,000
        (ValueError("damaged"), False),
    ],
)
def test_causes_of_a_refusal(cause: Exception, is_of_the_system: bool) -> None:
    refusal = Unparsable("invalid_file", "The file is damaged.")
    refusal.__cause__ = cause
    assert [parser_process._is_of_the_system(one) for one in parser_process._causes(refusal)] == [is_of_the_system]


@contextmanager
def little_memory(left: int) -> Iterator[None]:
    """The machine gives this process, and those that it starts, no more than so many bytes more than it has."""
    used = next(
        int(line.split()[1]) * 1024 for line in Path("/proc/self/status").read_text().splitlines() if "VmData" in line
    )
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (used + left, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


@pytest.mark.slow
async def test_a_machine_without_memory_is_not_the_file_s_fault(tmp_path: Path) -> None:
    rows = [[f"cell {row} {column}" for column in range(20)] for row in range(40_000)]
    path = tmp_path / "stored"
    path.write_bytes(samples.xlsx(rows))
    with little_memory(2**26), pytest.raises(ParserLost, match="128 MiB of memory"):
        await parser(parser_memory_bytes=2**27).parse(path, "xlsx")
    with pytest.raises(Unparsable, match="too much memory"):
        await parser(parser_memory_bytes=2**27).parse(path, "xlsx")


async def test_a_parser_that_is_kept_from_working_is_not_the_file_s_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parsing, "_MOST_BY_THE_CLOCK", 1.0)
    task, process = await under_way(tmp_path, parser_seconds=1)
    process.suspend()
    with pytest.raises(ParserLost, match="processor time"):
        await task


async def test_a_parser_that_cannot_be_started_is_not_the_file_s_fault(tmp_path: Path) -> None:
    path = tmp_path / "stored"
    path.write_bytes(b"text")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (psutil.Process().num_fds(), hard))
    try:
        with pytest.raises(ParserLost):
            await parser().parse(path, "text")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def folder_of(package: str) -> Path:
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


@pytest.fixture
def unshared() -> list[str]:
    """What is put before a shell script for it to have mounts of its own."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("only root may mount")
    words = ["unshare", "--mount", "--propagation", "private", "sh", "-e", "-c"]
    if subprocess.run([*words, "mount -t tmpfs none /mnt"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this root may not mount")
    return words


def run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def test_the_control_names_what_cannot_be_read(unshared: list[str]) -> None:
    """A library is missing: an empty folder is in its place."""
    library = str(folder_of("pypdfium2_raw"))
    done = run([*unshared, 'mount -t tmpfs none "$0"; exec "$@"', library, *CONTROL])
    assert done.returncode == 1, done.stderr
    (line,) = done.stdout.splitlines()
    assert line.startswith("pdf: ")
    assert "pypdfium2_raw" in line


@pytest.mark.slow
def test_every_kind_is_read_where_nothing_is_written(unshared: list[str]) -> None:
    """As in the compose file's containers: all is read-only, and nothing below /tmp can be executed or loaded."""
    if Path(sys.prefix).is_relative_to("/tmp"):
        pytest.skip("Python's environment is below /tmp")
    shut = "mount -t tmpfs -o noexec,nosuid,nodev none /tmp; mount -o remount,bind,ro /; test ! -w /"
    done = run([*unshared, f'{shut}; "$@"; test -z "$(ls -A /tmp)"', "sh", "env", "-i", *CONTROL])
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "namespaces: held, landlock: held, system calls: held, account: held\n"


@pytest.mark.slow
@pytest.mark.parametrize("who", ["nobody", "root without rights"])
def test_every_kind_is_read_whoever_the_worker_is(who: str) -> None:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can become others")
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    done = run(as_nobody(CONTROL) if who == "nobody" else [*drop, *CONTROL])
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("namespaces: held" in done.stdout) is (who == "nobody")


@pytest.mark.slow
async def test_a_large_file_is_read(tmp_path: Path) -> None:
    """Half a gigabyte, most of it not text."""
    path = tmp_path / "stored"
    with path.open("wb") as file:
        file.write(samples.pdf(["Barn owls hunt at night."]))
        file.truncate(500 * 2**20)
    assert (await parser().parse(path, "pdf")).text == "Barn owls hunt at night."


async def test_many_files_at_once(tmp_path: Path) -> None:
    path = tmp_path / "stored"
    path.write_bytes(samples.docx(["Barn owls hunt at night."]))
    texts = await asyncio.gather(*(parser().parse(path, "docx") for _ in range(40)))
    assert {parsed.text for parsed in texts} == {"Barn owls hunt at night."}


def test_a_file_waits_for_a_machine_that_can_read_it(locum: Locum, client: OpenAI, tmp_path: Path) -> None:
    """The temporary folder has gone from below the worker, and comes back."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    locum.stop("ingestion")
    before = dict(locum.environment)
    locum.environment.update(TMPDIR=str(temporary), LOCUM_INGESTION_TRIES="8")
    locum.start("ingestion", "worker", "--queue", "ingestion")
    try:
        store = new_store(client)
        first, second = upload(client, "Barn owls hunt at night."), upload(client, "They hear mice.")
        client.vector_stores.files.create(store, file_id=first)
        assert ended(client, store, first).status == "completed"
        temporary.rmdir()
        log = locum.logs / "ingestion.log"
        client.vector_stores.files.create(store, file_id=second)
        wait_for(lambda: "parser_lost" in log.read_text(), "the worker to say so", 20)
        assert client.vector_stores.files.retrieve(second, vector_store_id=store).status == "in_progress"
        temporary.mkdir()
        assert ended(client, store, second).status == "completed"
    finally:
        locum.environment.clear()
        locum.environment.update(before)
        locum.stop("ingestion", signal.SIGTERM)
        locum.start("ingestion", "worker", "--queue", "ingestion")
        locum.wait_until_ready()


def test_the_log_says_what_confines(locum: Locum) -> None:
    assert "parser_confined" in (locum.logs / "ingestion.log").read_text()


@pytest.mark.parametrize(
    ("lacking", "level", "event"),
    [
        ((), "info", "parser_confined"),
        (("namespaces",), "warning", "parser_confined_in_part"),
        (("namespaces", "landlock", "account"), "warning", "parser_confined_in_part"),
        (("namespaces", "landlock", "system_calls"), "critical", "parser_not_confined"),
    ],
)
def test_what_does_not_confine_is_told_loudly(lacking: Sequence[str], level: str, event: str) -> None:
    names = ("namespaces", "landlock", "system_calls", "account")
    states = {name: "not held (Operation not permitted)" if name in lacking else HELD for name in names}
    with capture_logs() as told:
        tell(Layers(**states))
    assert told == [{"event": event, "log_level": level, **states}]


def test_on_the_loop_of_the_workers_no_descriptor_is_closed_twice(tmp_path: Path) -> None:
    """uvloop closes by number what it was given to read: the next file or connection might have that number."""
    blank = tmp_path / "blank.txt"
    blank.write_bytes(b" \n ")

    async def several_times() -> None:
        reads = parsing.Parser(Settings())
        try:
            for _ in range(3):
                with pytest.raises(Unparsable):  # and no ParserLost
                    await control.parse_with_control(reads, blank, kinds.TEXT)
        finally:
            reads.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(several_times())
