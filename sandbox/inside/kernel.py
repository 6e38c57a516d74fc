"""The kernel: ipykernel, with outputs that come in pieces the host is willing to take. Runs inside."""

import json
import sys
from typing import Any

import imports
import lean
import showing

with lean.imports():
    # It looks for the debugger as soon as it is made.
    import ipykernel.debugger  # noqa: F401
    from ipykernel.iostream import OutStream
    from ipykernel.kernelapp import IPKernelApp
    from jupyter_client.jsonutil import json_default
    from jupyter_client.session import json_packer
    from traitlets import Type
    from traitlets.config import Config

#: Of one message. The host hangs up on far larger ones (sandbox.wire).
_PIECE = 1 << 20


class PiecewiseStream(OutStream):
    """Standard output or error that sends what it has before it has too much."""

    _held = 0

    def write(self, string: str) -> Any:
        if not isinstance(string, str) or len(string) + self._held < _PIECE:
            self._held += len(string)
            return super().write(string)
        for begin in range(0, len(string), _PIECE):
            super().write(string[begin : begin + _PIECE])
            self.flush()
        self._held = 0
        return len(string)

    def _flush(self) -> Any:
        self._held = 0
        return super()._flush()


def pack(message: Any) -> bytes:
    """Returns the JSON of a message. Half of a surrogate pair, which has no UTF-8, must not cost the whole output."""
    try:
        return bytes(json_packer(message))
    except UnicodeEncodeError:
        return json.dumps(message, default=json_default, ensure_ascii=True, allow_nan=False).encode()


class Application(IPKernelApp):
    """IPython's kernel, started without what nobody asks for here: configuration, a file of its history, a heartbeat.

    The folder that code works in is searched for modules once the kernel is up, and last: a file there that has the
    name of a library's module is not taken for it.
    """

    ignore_cwd = True
    #: Of a client's, which is resolved at once by its name otherwise.
    blocking_class = Type(object)

    def initialize(self, argv: Any = None) -> None:
        super().initialize(argv)
        showing.set_up(self.shell)
        sys.path.append("")

    def parse_command_line(self, argv: Any = None) -> None:
        """There is none: see `application`."""

    def load_config_file(self, *_: Any, **__: Any) -> None:
        """There is none, and code must not be able to leave one."""

    def init_pdb(self) -> None:
        """Has IPython's debugger take the place of Python's when that is imported."""
        imports.change({"pdb": lambda _: super(Application, self).init_pdb()})

    def init_heartbeat(self) -> None:
        """Whether we live is seen by our process."""

    def write_connection_file(self, **_: Any) -> None:
        """The host has written it."""

    def log_connection_info(self) -> None:
        """The host knows it."""


def application() -> Application:
    """The kernel of /run/kernel/connection.json, ready to be started. This module has to be known as `locum_kernel`."""
    config = Config()
    config.Session.packer = "locum_kernel.pack"
    config.HistoryManager.enabled = False
    made: Application = Application.instance(
        config=config, connection_file="/run/kernel/connection.json", outstream_class="locum_kernel.PiecewiseStream"
    )
    made.initialize([])
    return made
