"""The folder of a session on this machine, and where its parts appear inside.

    data/     /mnt/data     the files of the session, written by code and by clients
    sockets/  /run/kernel   the kernel's sockets; new for every kernel
    system/   /opt/locum    what the kernel is started with, read-only
    staging/  -             files on their way into data/, out of sight of the code

Code may make anything of what lies in `data` and `sockets`: links out, pipes, trees without end. Nothing here follows
a link in them.
"""

import asyncio
import functools
import marshal
import os
import secrets
import sys
from importlib.util import MAGIC_NUMBER, source_hash
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from sandbox.errors import KernelFailed

DATA: Final = "/mnt/data"
SOCKETS: Final = "/run/kernel"
SYSTEM: Final = "/opt/locum"
HOME: Final = "/home/sandbox"
#: Where the Python environment that code runs in is seen inside.
ENVIRONMENT: Final = "/opt/locum-sandbox"

CONNECTION: Final = "connection.json"
CHANNELS: Final = ("shell", "iopub", "stdin", "control")

_INSIDE: Final = Path(__file__).parent / "inside"
#: Of a compiled file (PEP 552): it belongs to its source whatever that says.
_UNCHECKED: Final = 1


class _Script(NamedTuple):
    source: bytes
    compiled: bytes
    """For the Python that the host runs on; another one takes no notice of it."""


@functools.cache
def _scripts() -> dict[str, _Script]:
    """What runs inside, by name."""
    return {path.stem: _script(path) for path in _INSIDE.glob("*.py")}


def _script(path: Path) -> _Script:
    source = path.read_bytes()
    code = compile(source, f"{SYSTEM}/{path.name}", "exec", dont_inherit=True)
    head = MAGIC_NUMBER + _UNCHECKED.to_bytes(4, "little") + source_hash(source)
    return _Script(source, head + marshal.dumps(code))


class SessionFolder:
    """The folder `root`, for code that runs as `uid`; made by `make`, gone after `remove`."""

    def __init__(self, root: Path, uid: int, *, is_ours: bool) -> None:
        self.root = root
        self.uid = uid
        self.is_ours = is_ours
        """Whether `uid` is another than our own: then what the code writes must be given to it."""
        self.data = root / "data"
        self.sockets = root / "sockets"
        self.system = root / "system"
        self.staging = root / "staging"
        self.key = ""

    def make(self) -> None:
        """Makes the folder, closed to other accounts."""
        self.root.mkdir(mode=0o700, parents=True)
        # Whoever is let in by a mount comes to these alone.
        for part in (self.system, self.staging):
            part.mkdir()
            part.chmod(0o755)
        self.data.mkdir()
        self.hand_over(self.data)

    def hand_over(self, path: Path) -> None:
        """Gives `path`, which we have made, to the account that the code runs as."""
        path.chmod(0o700)
        if self.is_ours:
            os.chown(path, self.uid, self.uid)

    async def prepare_kernel(self, start: dict[str, Any]) -> None:
        """Lays out what a new kernel is started with: `start` is what inside/start.py reads."""
        await self.clear_sockets()
        await asyncio.to_thread(self._prepare_kernel, start)

    async def clear_sockets(self) -> None:
        """Removes the last kernel's sockets, and whatever its code has put beside them."""
        if self.sockets.exists():
            # From here on its name leads to nothing of the code's.
            old = self.staging / f"old-{secrets.token_hex(8)}"
            self.sockets.rename(old)
            await remove_tree(old)

    def _prepare_kernel(self, start: dict[str, Any]) -> None:
        self.key = secrets.token_hex(32)
        self.sockets.mkdir()
        self._write(self.sockets / CONNECTION, orjson.dumps(self._connection()))
        self.hand_over(self.sockets / CONNECTION)
        self.hand_over(self.sockets)
        cache = self.system / "__pycache__"
        cache.mkdir(exist_ok=True)
        cache.chmod(0o755)
        for name, script in _scripts().items():
            self._write(self.system / f"{name}.py", script.source)
            self._write(cache / f"{name}.{sys.implementation.cache_tag}.pyc", script.compiled)
        self._write(self.system / "start.json", orjson.dumps(start))
        self._write(self.system / "passwd", self._account("/bin/bash").encode())
        self._write(self.system / "group", f"root:x:0:\nsandbox:x:{self.uid}:\n".encode())

    def _connection(self) -> dict[str, Any]:
        """Jupyter's connection file, as the kernel sees things."""
        ports = {f"{channel}_port": number for number, channel in enumerate(CHANNELS, start=1)}
        return {
            "transport": "ipc",
            "ip": f"{SOCKETS}/k",
            **ports,
            "key": self.key,
            "signature_scheme": "hmac-sha256",
            "kernel_name": "",
        }

    def _account(self, shell: str) -> str:
        return f"root:x:0:0:root:/root:/usr/sbin/nologin\nsandbox:x:{self.uid}:{self.uid}:sandbox:{HOME}:{shell}\n"

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        path.write_bytes(content)
        path.chmod(0o644)

    async def remove(self) -> None:
        """Removes the folder and all that code has made in it."""
        await remove_tree(self.root)


async def remove_tree(root: Path) -> None:
    """Removes `root`, however deep and however closed to its owner the tree is. Raises KernelFailed if it stays."""
    # rm knows how to go down any depth without following links; a Python of 3.11 does not.
    if await _run("rm", "-rf", "--one-file-system", "--", str(root)) != 0:
        await _run("chmod", "-R", "u+rwX", "--", str(root))
        if await _run("rm", "-rf", "--one-file-system", "--", str(root)) != 0:
            raise KernelFailed(f"The folder {root} cannot be removed.")


async def _run(*command: str) -> int:
    null = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdin=null, stdout=null, stderr=null)
    return await process.wait()
