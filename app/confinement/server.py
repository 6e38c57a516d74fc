"""The warm process: it loads what the work needs, closes the doors, and forks a process for each piece of work.

    python -I -m app.confinement.server MODULE CONTROL REPORT PARENT

MODULE has `prepare()`, which imports all that the work can need, and `work(request, data)`, which gives the answer in
pieces of bytes. CONTROL is a socket over which pieces of work come (`warm` has the other side): JSON with four
descriptors, for what was sent, for the answer, for complaints, and a socket that is told of the process's beginning and
end, and by whose closing the process is killed. REPORT is a pipe that is told which layers hold.

Nothing that strangers sent is read here. It ends when CONTROL is closed, and all its processes with it.
"""

import contextlib
import ctypes
import fcntl
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
import traceback
from dataclasses import asdict
from typing import Any, Final, NoReturn

from app.confinement import doors, namespaces
from app.confinement.doors import HELD, Layers
from app.embedded.owned import die_with, system_call

_PR_SET_NAME: Final = 15
#: How the processes that do the work are called, where the system shows names.
NAME: Final = b"locum-confined"
_MAX_REQUEST: Final = 65_536
_OPEN_FILES: Final = 1024
#: The status that a process ends with when it was refused memory.
NO_MEMORY: Final = 12

#: A process that does the work has these and no others.
_DATA, _OUT, _COMPLAINTS, _ANSWER = 0, 1, 2, 3


def main(module: str, control: int, report: int, parent: int) -> None:
    """Serves until CONTROL is closed."""
    die_with(parent, signal.SIGKILL)
    # A forked process closes all numbers up to the limit that are not its own.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _OPEN_FILES if most == resource.RLIM_INFINITY else min(most, _OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    layers = Layers(doors.attempt(namespaces.begin), "", "", HELD)
    if layers.namespaces == HELD:
        _go_on_inside(control, report)
        parent = 0  # of another namespace
    work = importlib.import_module(module)
    work.prepare()
    layers.system_calls = doors.try_system_calls()
    doors.close_behind_imports(layers)
    die_with(parent, signal.SIGKILL)
    os.write(report, json.dumps(asdict(layers)).encode())
    os.close(report)
    Server(socket.socket(fileno=control), layers, work).serve()


def _go_on_inside(*ours: int) -> None:
    """Returns in the first process of the namespace; this one stays as its parent, and ends as it does."""
    child = os.fork()
    if child == 0:
        return
    for descriptor in ours:
        os.close(descriptor)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


class Server:
    """Forks, tells beginnings and ends, and kills when it is told to."""

    def __init__(self, control: socket.socket, layers: Layers, work: Any) -> None:
        self._control = control
        self._layers = layers
        self._work = work
        self._poll = select.poll()
        self._told: dict[int, socket.socket] = {}
        self._woken, self._wake = os.pipe()

    def serve(self) -> None:
        """Returns when the other side of the control socket is closed."""
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._poll.register(self._control, select.POLLIN)
        self._poll.register(self._woken, select.POLLIN)
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == self._woken:
                    os.read(self._woken, 4096)
                    self._bury()
                elif descriptor != self._control.fileno():
                    self._kill(descriptor)
                elif not self._begin():
                    return

    def _begin(self) -> bool:
        message, descriptors, _, _ = socket.recv_fds(self._control, _MAX_REQUEST, 4)
        if not message:
            return False
        *given, told = descriptors
        telling = socket.socket(fileno=told)
        try:
            process = os.fork()
        except OSError as error:
            _tell(telling, f"failed {error}")
            telling.close()
        else:
            if process == 0:
                self._do_the_work(json.loads(message), given)
            self._told[process] = telling
            _tell(telling, "begun")
            self._poll.register(telling, select.POLLIN)
        finally:
            for descriptor in given:
                os.close(descriptor)
        return True

    def _kill(self, descriptor: int) -> None:
        """Whoever wanted the work has closed their side: they want it no more."""
        self._poll.unregister(descriptor)
        for process, telling in self._told.items():
            if telling.fileno() == descriptor:
                os.kill(process, signal.SIGKILL)
                _tell(telling, "killed")

    def _bury(self) -> None:
        with contextlib.suppress(ChildProcessError):  # none is left
            while True:
                process, status = os.waitpid(-1, os.WNOHANG)
                if process == 0:
                    return
                telling = self._told.pop(process)
                with contextlib.suppress(KeyError):  # it was killed
                    self._poll.unregister(telling)
                _tell(telling, f"ended {os.waitstatus_to_exitcode(status)}")
                telling.close()

    def _do_the_work(self, message: dict[str, Any], given: list[int]) -> NoReturn:
        """The life of a forked process."""
        status = 1
        try:
            _keep_only(given)
            die_with(os.getppid(), signal.SIGKILL)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            system_call("prctl", _PR_SET_NAME, _address_of(NAME), 0, 0, 0)
            doors.limit(message["memory_bytes"], message["cpu_seconds"])
            with open(_DATA, "rb") as file:
                data = file.read()
            doors.close_all(self._layers)
            for piece in self._work.work(message["request"], data):
                _write(piece)
            status = 0
        except MemoryError:
            status = NO_MEMORY
        except BaseException:  # noqa: BLE001 - it is told, and the process ends
            traceback.print_exc()
        finally:
            os._exit(status)


def _keep_only(given: list[int]) -> None:
    """Has this process hold what was given to it under the numbers that it knows them by, and nothing else."""
    data, answer, complaints = (fcntl.fcntl(descriptor, fcntl.F_DUPFD, _ANSWER + 1) for descriptor in given)
    # Libraries print where they like: not into the answer.
    for descriptor, number in ((data, _DATA), (complaints, _OUT), (complaints, _COMPLAINTS), (answer, _ANSWER)):
        os.dup2(descriptor, number)
    os.closerange(_ANSWER + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _write(data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(_ANSWER, left) :]


def _tell(telling: socket.socket, what: str) -> None:
    # Whoever is told may have gone.
    with contextlib.suppress(OSError):
        telling.send(f"{what}\n".encode(), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


def _address_of(name: bytes) -> int:
    return ctypes.cast(ctypes.c_char_p(name), ctypes.c_void_p).value or 0


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
