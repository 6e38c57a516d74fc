"""The kernel: ipykernel, with outputs that come in pieces the host is willing to take. Runs inside."""

import json
import sys
from typing import Any

import showing
from ipykernel.iostream import OutStream
from ipykernel.kernelapp import IPKernelApp
from jupyter_client.jsonutil import json_default
from jupyter_client.session import json_packer

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
    """IPython's kernel. The folder that code works in is searched for modules once the kernel is up, and last: a file
    there that has the name of a library's module is not taken for it."""

    ignore_cwd = True

    def initialize(self, argv: Any = None) -> None:
        super().initialize(argv)
        showing.set_up(self.shell)
        sys.path.append("")


if __name__ == "__main__":
    # By this name ipykernel finds the class; __main__ is about to be the user's.
    sys.modules["locum_kernel"] = sys.modules["__main__"]
    # Our own folder is not searched any more.
    del sys.path[0]
    sys.argv.append("--Session.packer=locum_kernel.pack")
    Application.launch_instance(outstream_class="locum_kernel.PiecewiseStream")
