"""What slow and greedy clients cost the others: `python -m benchmarks.slow_clients [--rounds 3]`. A Locum of its own.

For each kind of them: the 95th percentile of other clients' requests (a thread is made, and read), without them and
beside them, in turns. All connections are to the loopback, as many as said here, and closed after seconds.
"""

import argparse
import asyncio
import contextlib
import resource
import socket
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import httpx2
from openai import OpenAI

from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Turn
from tests.running import Locum, run_locum
from tests.stack import run_stack

_MODEL: Final = "scripted-long"
_REQUESTS: Final = 240
_AT_ONCE: Final = 4
#: Of the process and of those that it starts.
_FILES: Final = 12_000
_LARGE: Final = 24 * 2**20
_BATCH: Final = 200


def main() -> None:
    """Prints a row for each kind of clients."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_FILES, hard), hard))
    with (
        tempfile.TemporaryDirectory(prefix="locum-slow-clients-") as folder,
        CompletionBackend() as backend,
        run_stack(_made(folder, "stack")) as stack,
        run_locum(stack, backend.url, _made(folder, "locum")) as locum,
    ):
        backend.script(_MODEL, Turn(text=["word " * 40] * 4000), repeat=True)
        asyncio.run(_measure(locum, rounds))


def _made(folder: str, name: str) -> Path:
    path = Path(folder) / name
    path.mkdir()
    return path


async def _measure(locum: Locum, rounds: int) -> None:
    authorization = f"Authorization: Bearer {locum.api_key}\r\n"
    with OpenAI(base_url=locum.base_url, api_key=locum.api_key, timeout=60) as client:
        file = client.files.create(file=("large.txt", b"x" * _LARGE), purpose="assistants").id
        assistant = client.beta.assistants.create(model=_MODEL).id
        told: Any = {"messages": [{"role": "user", "content": "Hi"}]}
        run = client.beta.threads.create_and_run_poll(assistant_id=assistant, thread=told)
    events = f"GET /v1/threads/{run.thread_id}/runs/{run.id}/events HTTP/1.1\r\nHost: l\r\n{authorization}\r\n"
    body = f"POST /v1/threads HTTP/1.1\r\nHost: l\r\n{authorization}Content-Type: application/json\r\n"
    kinds: dict[str, tuple[int, Callable[[int], str]]] = {
        "half-sent heads": (1000, lambda _: "POST /v1/threads HTTP/1.1\r\nHost: lo"),
        "half-sent bodies": (1000, lambda n: f"{body}Idempotency-Key: half-{n}\r\nContent-Length: 10\r\n\r\n{{"),
        "downloads that are not read": (
            50,
            lambda _: f"GET /v1/files/{file}/content HTTP/1.1\r\nHost: l\r\n{authorization}\r\n",
        ),
        "streams that are not read": (50, lambda _: events),
        "idle connections": (5000, lambda _: ""),
        "idle connections that have asked once": (5000, lambda _: "GET /healthz HTTP/1.1\r\nHost: l\r\n\r\n"),
    }
    print("| clients | others' p95 without them | beside them | ratio |\n| --- | --- | --- | --- |")
    await _others(locum)
    for kind, (count, sent) in kinds.items():
        alone, beside = [], []
        for number in range(rounds):
            alone.append(await _others(locum))
            async with _connected(locum.port, [sent(number * count + one) for one in range(count)]):
                beside.append(await _others(locum))
        usual, now = statistics.median(alone), statistics.median(beside)
        # Of each turn its own: what else the machine does weighs on both of its halves.
        ratio = statistics.median(one / other for one, other in zip(beside, alone, strict=True))
        print(f"| {count:,} {kind} | {1000 * usual:.1f} ms | {1000 * now:.1f} ms | {ratio:.2f} |", flush=True)


@contextlib.asynccontextmanager
async def _connected(port: int, sent: list[str]) -> AsyncIterator[None]:
    """Holds a connection for each of `sent`, which is all that is said on it; nothing is read."""
    loop = asyncio.get_running_loop()

    async def connect(text: str) -> socket.socket:
        opened = socket.socket()
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        opened.settimeout(0)
        await loop.sock_connect(opened, ("127.0.0.1", port))
        await loop.sock_sendall(opened, text.encode())
        return opened

    held: list[socket.socket] = []
    try:
        for start in range(0, len(sent), _BATCH):
            held += await asyncio.gather(*map(connect, sent[start : start + _BATCH]))
        yield
    finally:
        for opened in held:
            opened.close()


async def _others(locum: Locum) -> float:
    """The 95th percentile of the seconds that requests of a few clients take."""
    headers = {"Authorization": f"Bearer {locum.api_key}", "OpenAI-Beta": "assistants=v2"}
    took: list[float] = []

    async def use(http: httpx2.AsyncClient) -> None:
        for _ in range(_REQUESTS // _AT_ONCE // 2):
            began = time.monotonic()
            made = (await http.post("/threads", json={})).raise_for_status().json()["id"]
            took.append(time.monotonic() - began)
            began = time.monotonic()
            (await http.get(f"/threads/{made}")).raise_for_status()
            took.append(time.monotonic() - began)

    async with httpx2.AsyncClient(base_url=locum.base_url, headers=headers, timeout=30) as http:
        await asyncio.gather(*(use(http) for _ in range(_AT_ONCE)))
    return statistics.quantiles(took, n=20)[-1]


if __name__ == "__main__":
    main()
