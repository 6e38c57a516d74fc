"""Jupyter's messaging protocol (5.x) over ZMQ, as far as running code needs it: signing, framing, three channels.

What is read was written by untrusted code: frames are bounded before they are parsed, and what is not as the protocol
has it is passed over. A link that the kernel breaks off is not made again: by then its socket may be anything.
"""

import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import stat
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson
import zmq
import zmq.asyncio

from sandbox.errors import KernelFailed
from sandbox.folder import CHANNELS, SessionFolder

#: Of one message; ZMQ hangs up on more. What ipykernel sends at once is bounded (inside/kernel.py) but for pictures.
_LONGEST_MESSAGE: Final = 32 * 2**20
_DELIMITER: Final = b"<IDS|MSG>"
_POLL_SECONDS: Final = 0.01
_ANSWER_SECONDS: Final = 2.0
#: How many messages are taken before they are asked for: the others wait inside, in memory of the code's.
_WAITING_MESSAGES: Final = 8


@dataclass(frozen=True)
class Message:
    """What the kernel says, and which of our requests it is about."""

    type: str
    parent: str
    content: dict[str, Any] = field(repr=False)


class Wire:
    """The connection to one kernel. Used by one execution at a time."""

    def __init__(self, context: zmq.asyncio.Context, folder: SessionFolder) -> None:
        self._key = folder.key.encode()
        self._session = uuid.uuid4().hex
        # A path through a descriptor is short enough for a socket's name wherever the folder lies, and stays with it.
        self._held: list[int] = []
        self._folder = os.open(folder.sockets, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
        self._context = context
        self._sockets: list[zmq.asyncio.Socket] = []
        self._monitors: list[asyncio.Task[None]] = []
        self.broken = asyncio.Event()
        """Set when the kernel has broken off a connection."""

    async def connect(self, seconds: float) -> None:
        """Connects once the kernel is there, before any code has run. Raises KernelFailed after `seconds`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self._listens():
                await asyncio.sleep(_POLL_SECONDS)
                continue
            self._open()
            # It may be between its bind and its listen: then our one attempt has failed.
            if await self._answers(min(_ANSWER_SECONDS, max(0.1, deadline - time.monotonic()))):
                return
            self._close_sockets()
        raise KernelFailed(f"The kernel was not ready after {seconds:g} seconds.")

    def close(self) -> None:
        """Lets go of the sockets. May be called again."""
        self._close_sockets()
        self._let_go()
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1

    async def execute(self, code: str) -> str:
        """Asks for an execution; gives the id that its messages have as their parent. Raises KernelFailed."""
        # store_history: the numbers of cells in tracebacks; allow_stdin: nobody is there to answer input().
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": True,
        }
        return await self._send(self._shell, "execute_request", content)

    async def interrupt(self) -> None:
        """Asks for the end of what runs, as Ctrl-C does. Raises KernelFailed."""
        await self._send(self._control, "interrupt_request", {})

    async def next_output(self) -> Message | None:
        """The next message of the outputs; None for one that is none."""
        return self._parse(await self._iopub.recv_multipart(copy=False))

    async def next_reply(self) -> Message | None:
        """The next answer to a request; None for one that is none."""
        return self._parse(await self._shell.recv_multipart(copy=False))

    def _listens(self) -> bool:
        """Whether all sockets are there; holds them then, so that what is connected to is what was looked at."""
        self._let_go()
        for number in range(1, len(CHANNELS) + 1):
            try:
                held = os.open(f"k-{number}", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._folder)
            except OSError:
                return False
            self._held.append(held)
            if not stat.S_ISSOCK(os.fstat(held).st_mode):
                return False
        return True

    def _let_go(self) -> None:
        while self._held:
            os.close(self._held.pop())

    def _open(self) -> None:
        self._shell = self._connected(zmq.DEALER, "shell")
        self._control = self._connected(zmq.DEALER, "control")
        self._iopub = self._connected(zmq.SUB, "iopub")
        self._iopub.subscribe(b"")

    def _connected(self, kind: int, channel: str) -> zmq.asyncio.Socket:
        socket = self._context.socket(kind)
        socket.linger = 0
        socket.reconnect_ivl = -1
        socket.maxmsgsize = _LONGEST_MESSAGE
        socket.rcvhwm = _WAITING_MESSAGES
        monitor = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self._monitors.append(asyncio.create_task(self._watch(monitor)))
        socket.connect(f"ipc:///proc/self/fd/{self._held[CHANNELS.index(channel)]}")
        self._sockets.append(socket)
        return socket

    async def _watch(self, monitor: zmq.asyncio.Socket) -> None:
        await monitor.recv_multipart()
        self.broken.set()

    async def _answers(self, seconds: float) -> bool:
        """Whether the kernel answers, and its outputs reach us: the subscription may come later than the answer."""
        with contextlib.suppress(TimeoutError, KernelFailed):
            async with asyncio.timeout(seconds):
                asked = await self._send(self._shell, "kernel_info_request", {})
                await self.next_reply()
                while True:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(0.1):
                            await self.next_output()
                            return True
                    asked = await self._send(self._shell, "kernel_info_request", {})
                    while (reply := await self.next_reply()) is None or reply.parent != asked:
                        pass
        return False

    def _close_sockets(self) -> None:
        for monitor in self._monitors:
            monitor.cancel()
        for socket in self._sockets:
            socket.disable_monitor()
            socket.close()
        self._monitors.clear()
        self._sockets.clear()
        self.broken.clear()

    async def _send(self, socket: zmq.asyncio.Socket, kind: str, content: dict[str, Any]) -> str:
        number = uuid.uuid4().hex
        header = {
            "msg_id": number,
            "session": self._session,
            "username": "locum",
            "date": datetime.now(UTC).isoformat(),
            "msg_type": kind,
            "version": "5.3",
        }
        frames = [orjson.dumps(part) for part in (header, {}, {}, content)]
        try:
            await socket.send_multipart([_DELIMITER, self._sign(frames), *frames], flags=zmq.NOBLOCK)
        except zmq.ZMQError as error:
            raise KernelFailed(f"The kernel cannot be reached: {error}.") from None
        return number

    def _sign(self, frames: list[bytes]) -> bytes:
        digest = hmac.new(self._key, digestmod=hashlib.sha256)
        for frame in frames:
            digest.update(frame)
        return digest.hexdigest().encode()

    def _parse(self, message: list[zmq.Frame]) -> Message | None:
        frames = [frame.bytes for frame in message]
        try:
            start = frames.index(_DELIMITER)
            signature, *parts = frames[start + 1 : start + 6]
            if not hmac.compare_digest(signature, self._sign(parts)):
                return None
            header, parent, _, content = (_loads(part) for part in parts)
            return Message(str(header["msg_type"]), str(parent.get("msg_id", "")), dict(content))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None


def _loads(part: bytes) -> Any:
    """Reads JSON; also where text in it is no Unicode, which is what the code has written and not the kernel."""
    try:
        return orjson.loads(part)
    except orjson.JSONDecodeError:
        return json.loads(part.decode(errors="replace"), strict=False)
