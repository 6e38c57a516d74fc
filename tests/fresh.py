"""Runs a command as a fresh machine would, and fails if it leaves anything: `python -m tests.fresh pytest ...`.

HOME, the XDG folders and TMPDIR are new and empty. For root on Linux, /tmp, /var/tmp and /dev/shm are too, in a mount
namespace: what a library left there before is not found, and what others put there meanwhile is not taken for ours.
Elsewhere /tmp is shared, and what is new in it is told only.

Package managers keep the user's configuration, where the registries stand; their caches go with the rest.
"""

import ctypes
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

import psutil

_PR_SET_CHILD_SUBREAPER: Final = 36
#: For processes that were told to end when the command did.
_PATIENCE: Final = 5.0
_IN_MEMORY: Final = Path("/dev/shm")
_SHARED: Final = (Path("/tmp"), Path("/var/tmp").resolve(), _IN_MEMORY)
_INSIDE: Final = "--inside"

_FOLDERS: Final = {
    "HOME": "home",
    "XDG_CACHE_HOME": "cache",
    "XDG_CONFIG_HOME": "config",
    "XDG_DATA_HOME": "data",
    "XDG_STATE_HOME": "state",
    "XDG_RUNTIME_DIR": "run",
    "TMPDIR": "tmp",
}
#: These are to stay until the end, and then go with the rest: pytest's folders, and what package managers download.
_KEPT_FOLDERS: Final = {"PYTEST_DEBUG_TEMPROOT": "pytest", "NPM_CONFIG_CACHE": "npm", "PIP_CACHE_DIR": "pip"}
#: Settings that would be found by luck, and the one of the storm.
_DROPPED: Final = ("LOCUM_", "OPENAI_", "XDG_", "PYTHONPATH", "IPYTHON", "JUPYTER", "MPLCONFIG")
_KEPT: Final = "LOCUM_FAULTS_SEED"
#: Variables that may name files of the user's.
_CONFIGURING: Final = ("PIP_", "NPM_CONFIG_", "SSL_", "REQUESTS_", "NODE_EXTRA_")


def main(arguments: Sequence[str]) -> int:
    """The command's status; 1 where it went well and something is left."""
    if arguments[:1] == [_INSIDE]:
        return _run_inside(Path(arguments[1]), is_alone=arguments[2] == "alone", command=arguments[3:])
    place = Path(tempfile.mkdtemp(prefix="fresh-"))
    try:
        is_alone = _can_be_alone()
        unshared = ["unshare", "--mount", "--propagation", "private"] if is_alone else []
        this = [sys.executable, "-m", "tests.fresh", _INSIDE, str(place), "alone" if is_alone else "shared"]
        return _wait([*unshared, *this, *arguments], dict(os.environ))
    finally:
        # Out here nothing is mounted below it.
        shutil.rmtree(place)


def _can_be_alone() -> bool:
    """Whether this process may have mounts of its own."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    tried = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "mount", "-t", "tmpfs", "none", "/tmp"],
        capture_output=True,
        check=False,
    )
    return tried.returncode == 0


def _wait(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Runs the command to its end; signals to end go to it. Gives its status."""
    process = subprocess.Popen(command, env=environment)

    def pass_on(number: int, _: FrameType | None) -> None:
        # A terminal interrupts the whole group.
        if number != signal.SIGINT:
            process.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    status = process.wait()
    return status if status >= 0 else 128 - status


def _run_inside(place: Path, *, is_alone: bool, command: Sequence[str]) -> int:
    here = _alone(place) if is_alone else place
    for name in (*_FOLDERS.values(), *_KEPT_FOLDERS.values()):
        (here / name).mkdir(mode=0o700)
    # As /tmp is: root's tests have processes of other accounts.
    here.chmod(0o711)
    (here / _FOLDERS["TMPDIR"]).chmod(0o1777)
    watched = [here / name for name in _FOLDERS.values()]
    before = set() if is_alone else set(_entries(_SHARED[0]))
    # What loses its parent becomes ours.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    status = _wait(command, _environment(here))
    if is_alone:
        watched += _SHARED
    passed = {here, *(path for path in _needed() if _is_below_shared(path))}
    found = (entry for folder in watched for entry in _entries(folder) if not _leads_to(entry, passed))
    left = [*_processes(), *(f"{entry} was left" for entry in found)]
    for entry in () if is_alone else set(_entries(_SHARED[0])) - before - {place}:
        print(f"Somebody, perhaps these tests, has left {entry}.", file=sys.stderr)  # noqa: T201
    for line in left:
        print(f"NOT FRESH: {line}.", file=sys.stderr)  # noqa: T201
    return status or int(bool(left))


def _alone(place: Path) -> Path:
    """Puts new folders over those that all processes share; gives the one for our own."""
    # By descriptors: what is below /tmp has no path once something is mounted there.
    opened = {path: os.open(path, os.O_PATH) for path in _needed() if _is_below_shared(path)}
    for shared in _SHARED:
        own = place / str(shared).strip("/").replace("/", "-")
        own.mkdir()
        own.chmod(0o1777)
        opened[shared] = os.open(own, os.O_PATH)
    for path in sorted(opened):  # folders before what is in them
        _make_room(path, is_folder=stat.S_ISDIR(os.fstat(opened[path]).st_mode))
        if path == _IN_MEMORY:
            _mount("-t", "tmpfs", "-o", "mode=1777", "none", str(path))
        else:
            # Else mount looks up what the descriptor's path was, and finds the empty folder that was just made there.
            _mount("--no-canonicalize", "--bind", f"/proc/{os.getpid()}/fd/{opened[path]}", str(path))
    for descriptor in opened.values():
        os.close(descriptor)
    return Path(tempfile.mkdtemp(dir=_SHARED[0], prefix="own-"))


def _make_room(path: Path, *, is_folder: bool) -> None:
    if is_folder:
        path.mkdir(parents=True, exist_ok=True)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def _needed() -> set[Path]:
    """What the command is made of, which may lie below /tmp: this checkout, Python, and what is configured."""
    named = [value for name, value in os.environ.items() if name.upper().startswith(_CONFIGURING)]
    paths = [Path.cwd(), Path(sys.prefix), Path(sys.base_prefix), *(path for _, path in _configurations())]
    paths += [Path(value) for value in named + os.get_exec_path() if value.startswith("/")]
    return {path.resolve() for path in paths if path.exists()}


def _is_below_shared(path: Path) -> bool:
    return any(path.is_relative_to(shared) for shared in _SHARED)


def _leads_to(entry: Path, passed: set[Path]) -> bool:
    return any(path.is_relative_to(entry) for path in passed)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def _environment(here: Path) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_DROPPED) or name == _KEPT}
    for name in ("TMP", "TEMP"):
        environment.pop(name, None)
    environment |= {name: str(here / folder) for name, folder in {**_FOLDERS, **_KEPT_FOLDERS}.items()}
    for name, path in _configurations():
        if path.exists() and not environment.get(name):
            environment[name] = str(path)
    return environment


def _configurations() -> Iterator[tuple[str, Path]]:
    """Where package managers look for what the user has set up, and the variables that name it."""
    home = Path.home()
    yield "PIP_CONFIG_FILE", Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"
    yield "PIP_CONFIG_FILE", home / ".pip" / "pip.conf"
    yield "NPM_CONFIG_USERCONFIG", home / ".npmrc"
    yield "RUSTUP_HOME", home / ".rustup"  # pip asks rustc for its version


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _processes() -> Iterator[str]:
    """Says which processes the command has left, and ends them."""
    children = psutil.Process().children(recursive=True)
    _, alive = psutil.wait_procs(children, _PATIENCE)
    lines = {process: _about(process) for process in alive}
    for process in alive:
        _quietly(process.kill)
    psutil.wait_procs(alive, _PATIENCE)
    yield from lines.values()


def _about(process: psutil.Process) -> str:
    try:
        return f"process {process.pid} ({' '.join(process.cmdline())[:200] or process.name()}) runs on"
    except psutil.Error:
        return f"process {process.pid} ran on"


def _quietly(end: Callable[[], None]) -> None:
    try:
        end()
    except psutil.NoSuchProcess:
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
