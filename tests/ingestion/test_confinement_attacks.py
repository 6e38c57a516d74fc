"""A parser that a bad file has taken over, against what confines it: tests/ingestion/attacks.py has what it tries."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import psutil
import pytest

from app.confinement import warm
from app.confinement.doors import HELD
from app.confinement.warm import Limits, Lost, Outcome, TooMuch, Warm
from tests.ingestion.attacks import ATTACKS, COMMAND, LIMITS
from tests.running import wait_for
from tests.sandbox.hosts import as_nobody

pytestmark = pytest.mark.slow

Found = Mapping[str, Mapping[str, str]]

_PROGRAM = [sys.executable, "-m", "tests.ingestion.attacks"]
_OF_FILES = {name for name in ATTACKS if "file" in name or "folder" in name} | {"unlink", "rename", "make a link"}
_OF_MEMORY = {"read the environment", "read memory", "write memory", "write memory by a call", "trace"}
#: What each layer holds back by itself; the others may as well.
_HELD_BY = {
    "namespaces": _OF_FILES | _OF_MEMORY | {"kill the worker", "kill all", "execute", "connect to an abstract socket"},
    "landlock": _OF_FILES | _OF_MEMORY | {"execute"},
    "system_calls": set(ATTACKS) - {"tell other descriptors than its own"},
    "account": (_OF_FILES - {"read a file of the system"}) | _OF_MEMORY | {"kill the worker"},
}
#: How the system refuses; that a thread cannot be started is a RuntimeError, that limits cannot be set a ValueError.
_REFUSALS = ("PermissionError", "FileNotFoundError", "ProcessLookupError", "ConnectionRefusedError", "OSError")
_OTHERS = ("BlockingIOError", "RuntimeError: can't start", "RuntimeError can't start", "ValueError", "AssertionError")


def _tried(command: list[str]) -> Found:
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    found: Found = json.loads(done.stdout)
    return found


def _without_rights(command: list[str]) -> list[str]:
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command]


@pytest.fixture(scope="module", params=["as we are", "as nobody", "as root without rights"])
def found(request: pytest.FixtureRequest) -> Found:
    """What all attacks came to, by layer, where the worker is one or another user."""
    if request.param == "as we are":
        return _tried(_PROGRAM)
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can become others")
    return _tried((as_nobody if request.param == "as nobody" else _without_rights)(_PROGRAM))


def test_nothing_is_refused_to_those_who_are_not_confined(found: Found) -> None:
    """So that an attack which fails does so because of what confines it."""
    assert {name: outcome for name, outcome in found["none"].items() if outcome != "done"} == {}


def test_nothing_can_be_done_behind_all_layers(found: Found) -> None:
    assert found["all"].keys() == ATTACKS.keys()
    assert {name: outcome for name, outcome in found["all"].items() if not _is_refused(outcome)} == {}


@pytest.mark.parametrize("layer", _HELD_BY)
def test_each_layer_holds_by_itself(found: Found, layer: str) -> None:
    if found["layers"][layer] != HELD or layer not in found:
        pytest.skip(f"{layer}: {found['layers'][layer]}")
    held = {name for name, outcome in found[layer].items() if _is_refused(outcome)}
    assert _HELD_BY[layer] - held == set()


def test_what_holds_is_told(found: Found) -> None:
    """Seccomp is everywhere; where namespaces or another account cannot be had it is said why."""
    assert found["layers"]["system_calls"] == HELD
    for state in found["layers"].values():
        assert state == HELD or state.startswith("not held (")


def _is_refused(outcome: str) -> bool:
    return outcome.removeprefix("refused: ").startswith((*_REFUSALS, *_OTHERS)) and outcome.startswith("refused: ")


# What it takes, and what it answers.


@pytest.fixture
async def confined(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Warm]:
    """A warm process whose work is what the data say."""
    monkeypatch.setattr(warm, "COMMAND", COMMAND)
    running = Warm("tests.ingestion.attacks")
    yield running
    process = await _process_of(running)
    left = [process, *process.children(recursive=True)]
    running.close()
    assert await asyncio.to_thread(_still_alive, left, 5) == []


async def _process_of(confined: Warm) -> psutil.Process:
    """Its own process: the stack that other tests use has children of ours, too."""
    await confined.start()
    assert confined._running is not None
    return psutil.Process(confined._running._process.pid)


def _still_alive(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those that have not ended then. One that has is not alive, though its new parent has not taken note of it."""

    def alive() -> list[psutil.Process]:
        return [process for process in processes if process.is_running() and not _is_dead(process)]

    with contextlib.suppress(TimeoutError):
        wait_for(lambda: not alive(), "their end", seconds)
    return alive()


def _is_dead(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def do(confined: Warm, code: str, **limits: float) -> Outcome:
    with tempfile.TemporaryFile() as file:
        file.write(code.encode())
        file.seek(0)
        return await confined.do({}, file.fileno(), Limits(**{**vars(LIMITS), **limits}))


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("bytes(2**29)", 12),
        ("while True: pass", -signal.SIGXCPU),
        ("signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGXCPU])\nwhile True: pass", -signal.SIGKILL),
        ("import nothing", 1),
        ("os.abort()", -signal.SIGSEGV),  # it cannot send itself SIGABRT
        ("os._exit(0)", 0),
    ],
)
async def test_what_it_takes_is_limited(confined: Warm, code: str, status: int) -> None:
    outcome = await do(confined, code, cpu_seconds=1)
    assert (outcome.status, outcome.answer) == (status, b"")
    assert (await do(confined, "answer.append(b'well')")).answer == b"well"


async def test_an_answer_without_end_is_not_read(confined: Warm) -> None:
    with pytest.raises(TooMuch):
        await do(confined, "while True: os.write(3, bytes(65536))")


async def test_complaints_without_end_are_cut(confined: Warm) -> None:
    outcome = await do(confined, "for _ in range(1000): os.write(2, b'x' * 65536)")
    assert (outcome.status, len(outcome.complaint)) == (0, 4096)


async def test_an_answer_that_never_comes_is_not_waited_for(confined: Warm) -> None:
    with pytest.raises(TimeoutError):
        await do(confined, "time.sleep(100)", seconds=1)


async def test_a_file_has_no_influence_on_the_next(confined: Warm) -> None:
    await do(confined, "import builtins; builtins.open = None; os.environ['A'] = 'b'; answer.append(b'x')")
    outcome = await do(confined, "answer.append(f'{open} {os.environ.get(\"A\")}'.encode())")
    assert outcome.answer == b"<built-in function open> None"


async def test_no_program_s_environment_is_told(confined: Warm) -> None:
    outcome = await do(confined, "answer.append(repr(dict(os.environ)).encode())")
    assert outcome.answer.decode() == repr(warm.ENVIRONMENT)


# The worst day.


async def test_a_warm_process_that_dies_is_started_again(confined: Warm) -> None:
    process = await _process_of(confined)
    process.kill()
    process.wait()
    assert (await do(confined, "answer.append(b'well')")).answer == b"well"


async def test_a_warm_process_that_is_frozen_is_started_again(confined: Warm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm, "_HEARD_SECONDS", 1.0)
    process = await _process_of(confined)
    frozen = [process, *process.children(recursive=True)]
    for process in frozen:
        process.suspend()
    assert (await do(confined, "answer.append(b'well')")).answer == b"well"
    assert await asyncio.to_thread(_still_alive, frozen, 10) == []


async def test_work_under_way_is_lost_with_its_warm_process(confined: Warm) -> None:
    code = "os.write(2, b'begun'); time.sleep(100)"
    process = await _process_of(confined)
    with pytest.raises(Lost):
        await _while_killed(confined, code, process)


async def _while_killed(confined: Warm, code: str, process: psutil.Process) -> None:
    work = asyncio.create_task(do(confined, code))
    await asyncio.to_thread(wait_for, lambda: _working(process), "the work to begin", 20)
    process.kill()
    await work


def _working(process: psutil.Process) -> bool:
    return any(child.name() == "locum-confined" for child in process.children(recursive=True))


def test_nothing_is_left_of_a_worker_that_is_killed() -> None:
    """Neither the warm process nor the one that works, whatever they are doing."""
    code = (
        "import asyncio, tempfile\nfrom app.confinement import warm\nfrom tests.ingestion import attacks\n"
        "from tests.ingestion.test_confinement_attacks import do\nwarm.COMMAND = attacks.COMMAND\n"
        "asyncio.run(do(warm.Warm('tests.ingestion.attacks'), 'time.sleep(100)'))"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as worker:
        watched = psutil.Process(worker.pid)
        wait_for(lambda: _working(watched), "the work to begin", 30)
        left = watched.children(recursive=True)
        worker.kill()
    assert _still_alive(left, 10) == []


# Workers.

_HIDDEN = """
import os, sys
from app.confinement import rights
from tests.ingestion.attacks import ATTACKS, SECRET, behind
if sys.argv[1] == "hidden":
    rights.hide()
given = {"worker": os.getpid(), "address": id(SECRET) + bytes.__basicsize__ - 1}
print(*[behind(lambda: None, ATTACKS[name], given).split(" (")[0] for name in sys.argv[2:]], sep="\\n")
"""


@pytest.mark.parametrize(("how", "are_done"), [("hidden", False), ("open", True)])
def test_a_worker_is_closed_to_others_of_its_account(how: str, are_done: bool) -> None:
    """Even to a process that nothing confines."""
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root can look at everybody")
    wrap: Callable[[list[str]], list[str]] = as_nobody if os.geteuid() == 0 else list
    done = subprocess.run(
        wrap([sys.executable, "-c", _HIDDEN, how, *sorted(_OF_MEMORY)]),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcomes: list[Any] = done.stdout.splitlines()
    assert len(outcomes) == len(_OF_MEMORY)
    assert [outcome == "done" for outcome in outcomes] == [are_done] * len(outcomes)


_STARTED = """
import os
def owner():
    return os.stat("/proc/self/environ").st_uid
before = owner()
try:
    {start}
except BaseException as error:
    assert "is not set" in str(error) or "LOCUM" in str(error) or "nonexistent" in str(error), repr(error)
print(before == os.geteuid(), owner())
"""


#: It finds a folder that is closed to it.
_UP = "from app.cli import up; up(host=None, port=None, data_dir=None, api_key=None)"


@pytest.mark.parametrize(
    "start", ["import workers.main", "from app.cli import api; api()", "from app.cli import sandbox; sandbox()", _UP]
)
def test_processes_that_hold_secrets_are_closed(start: str) -> None:
    """Before they know what they need: then what they have below /proc is root's, proc(5)."""
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("what root has is root's")
    wrap: Callable[[list[str]], list[str]] = as_nobody if os.geteuid() == 0 else list
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCUM_")}
    done = subprocess.run(
        wrap([sys.executable, "-c", _STARTED.format(start=start)]),
        env=environment | {"LOCUM_DATA_DIR": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "True 0\n", done.stderr
