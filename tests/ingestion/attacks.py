"""What a parser that a file has taken over would try: real code, run behind each layer, behind all, and behind none.

    python -m tests.ingestion.attacks

prints as JSON, for each layer, what each attack came to: `done`, or `refused` and the error. To be started as whoever
the worker is to be: root, root without rights, an ordinary user.
"""

import asyncio
import ctypes
import errno
import json
import mmap
import os
import resource
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from app.confinement import computing, landlock, namespaces, rights, warm
from app.confinement.warm import Limits, Warm

REPOSITORY: Final = Path(__file__).parents[2]
#: The warm process as it is, but that it finds the tests.
_SERVER: Final = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from app.confinement.server import main; "
    "main(sys.argv[1], *map(int, sys.argv[2:]))"
)
COMMAND: Final = (sys.executable, "-I", "-c", _SERVER, str(REPOSITORY))
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
LIMITS: Final = Limits(memory_bytes=2**28, cpu_seconds=20, seconds=60, answer_bytes=2**20)
SECRET: Final = b"a secret of the worker"

#: By code, which knows `worker` (a process id), `address` (of SECRET in it), `stored` (a file of its), `folder` (with
#: more of them) and `door` (an abstract socket).
ATTACKS: Final = {
    "read the environment": "open(f'/proc/{worker}/environ', 'rb').read()",
    "read memory": "file = os.open(f'/proc/{worker}/mem', os.O_RDWR); assert os.pread(file, 8, address) == b'a secret'",
    "write memory": "file = os.open(f'/proc/{worker}/mem', os.O_RDWR); os.pwrite(file, b'a', address)",
    "write memory by a call": (
        "check(libc.process_vm_writev(worker, byref(iovec(id(b'a') + 32, 1)), 1, byref(iovec(address, 1)), 1, 0))"
    ),
    "trace": "check(libc.ptrace(0x4206, worker, None, None))",
    "read a file of the system": "open('/etc/passwd').read()",
    "read a stored file": "open(stored).read()",
    "list a folder": "os.listdir(folder)",
    "write a stored file": "open(stored, 'ab').close()",
    "make a file": "open(f'{folder}/{os.getpid()}', 'wb').close()",
    "make a folder": "os.mkdir(f'{folder}/{os.getpid()}-folder')",
    "unlink": "os.unlink(f'{folder}/to unlink')",
    "rename": "os.rename(f'{folder}/to rename', f'{folder}/renamed')",
    "make a link": "os.symlink('/etc', f'{folder}/link')",
    "kill the worker": "os.kill(worker, signal.SIGWINCH)",
    "kill all": "os.kill(-1, 0)",
    "limit the worker": "resource.prlimit(worker, resource.RLIMIT_NOFILE)",
    "fork": "os.fork() or os._exit(0)",
    "start a thread": "threading.Thread(target=int).start()",
    "execute": "os.execv('/bin/true', ['true'])",
    "open a socket": "socket.socket()",
    "connect to an abstract socket": "socket.socket(socket.AF_UNIX).connect('\\0' + door)",
    "make memory executable": "mmap.mmap(-1, 4096, prot=7)",
    "make memory that is nobody's": "os.memfd_create('x')",
    "make a namespace": "check(libc.unshare(0x10000000))",
    "make a pipe": "os.pipe()",
    "duplicate a descriptor": "os.dup(2)",
    "tell other descriptors than its own": "assert [n for n in range(1024) if is_open(n)] != [1, 2, 3]",
    "change its limits": "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))",
}


def prepare() -> None:
    """As a module of work has it."""


def work(request: Mapping[str, Any], data: bytes) -> Iterator[bytes]:
    """Does what the data say: as a parser that was taken over does."""
    names = _known({"answer": [], **request})
    exec(compile(data, "attack", "exec"), names)
    yield from names["answer"]


def _known(given: Mapping[str, Any]) -> dict[str, Any]:
    """With what attacks need, so that they do not fail for the want of it."""
    modules = (mmap, os, resource, signal, socket, threading, time)
    ours = {"libc": _LIBC, "byref": ctypes.byref, "iovec": IOVec, "check": _check, "is_open": _is_open}
    return {**{module.__name__: module for module in modules}, **ours, **given}


class IOVec(ctypes.Structure):
    """`struct iovec`."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def _check(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _is_open(number: int) -> bool:
    try:
        os.lseek(number, 0, os.SEEK_CUR)
    except OSError as error:
        return error.errno != errno.EBADF
    return True


def _outcome(code: str, given: Mapping[str, Any]) -> str:
    try:
        exec(code, _known(given))
    except Exception as error:  # noqa: BLE001 - it is what is asked for
        return f"refused: {type(error).__name__} {error}"
    return "done"


def behind(close: Callable[[], object], code: str, given: Mapping[str, Any]) -> str:
    """What an attack comes to in a forked process that has closed a door."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        outcome = "the door was not closed"
        try:
            known = _known(given)
            close()
            outcome = _outcome(code, known)
        except Exception:  # noqa: BLE001 - told by the outcome
            traceback.print_exc()
        os.write(writing, outcome.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        said = told.read()
    _, status = os.waitpid(child, 0)
    return said or ("done" if status == 0 else f"refused: ended by {status}")  # executed: it is another program


def _namespaces() -> None:
    namespaces.begin()
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        os._exit(0)
    namespaces.complete()


#: What each layer is by itself.
LAYERS: Final[dict[str, Callable[[], object]]] = {
    "none": lambda: None,
    "namespaces": _namespaces,
    "landlock": landlock.restrict,
    "system_calls": computing.install,
    "account": rights.become_nobody,
}


async def _behind_all(given: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """What holds here, and what each attack comes to behind it."""
    confined = Warm("tests.ingestion.attacks")
    try:
        layers = await confined.start()
        return asdict(layers), {name: await _confined(confined, code, given) for name, code in ATTACKS.items()}
    finally:
        confined.close()


async def _confined(confined: Warm, code: str, given: Mapping[str, Any]) -> str:
    with tempfile.TemporaryFile() as file:
        file.write(code.encode())
        file.seek(0)
        outcome = await confined.do(given, file.fileno(), LIMITS)
    last = (outcome.complaint.decode().strip().splitlines() or [""])[-1]
    return "done" if outcome.status == 0 else f"refused: {last or outcome.status}"


def _laid_out(folder: Path, door: socket.socket) -> dict[str, Any]:
    for name in ("stored", "to unlink", "to rename"):
        (folder / name).write_bytes(SECRET)
    for path in folder.iterdir():
        path.chmod(0o600)
    address = id(SECRET) + bytes.__basicsize__ - 1
    name = door.getsockname()[1:].decode()
    paths = {"stored": str(folder / "stored"), "folder": str(folder)}
    return {"worker": os.getpid(), "address": address, "door": name, **paths}


def main() -> None:
    """Tries all, and prints what became of it."""
    warm.COMMAND = COMMAND
    found: dict[str, Any] = {}
    with socket.socket(socket.AF_UNIX) as door:
        door.bind("\0" + os.urandom(8).hex())
        door.listen()
        for layer, close in {**LAYERS, "all": None}.items():
            with tempfile.TemporaryDirectory() as folder:
                given = _laid_out(Path(folder), door)
                if close is None:
                    found["layers"], found["all"] = asyncio.run(_behind_all(given))
                elif layer != "account" or os.geteuid() == 0:
                    found[layer] = {name: behind(close, code, given) for name, code in ATTACKS.items()}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
