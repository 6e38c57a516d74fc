"""A deployment under load: every process is replaced in turn, and no request of the official client fails."""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from openai import OpenAI

from tests.fakes.turns import Turn
from tests.faults.network import before_apis
from tests.running import Locum, free_port, wait_for

_TEXT = ["Hello ", "there", "."]
#: A process that is asked to end leaves within these, whatever it was doing: an API lets answers take five of them.
_LEAVE_SECONDS = 10


@pytest.fixture
def ports(locum: Locum) -> Iterator[dict[str, int]]:
    """Two APIs by their names, and a second worker."""
    ports = {"api": locum.port, "api2": free_port()}
    locum.start("api2", "api", "--port", str(ports["api2"]))
    locum.start("worker2", "worker")
    for port in ports.values():
        wait_until_up(port)
    yield ports
    for name in ("api2", "worker2"):
        locum.stop(name)


def wait_until_up(port: int) -> None:
    def answers() -> bool:
        with contextlib.suppress(httpx2.TransportError):
            return httpx2.get(f"http://127.0.0.1:{port}/healthz", timeout=5).status_code == 200
        return False

    wait_for(answers, "the API", 30)


def replace(locum: Locum, name: str, *command: str) -> None:
    """Asks a process to end, and starts another in its place."""
    begun = time.monotonic()
    assert locum.stop(name, signal.SIGTERM) == 0, name
    assert time.monotonic() - begun < _LEAVE_SECONDS, name
    locum.start(name, *command)


def workers(locum: Locum) -> int:
    with locum.redis() as redis:
        return int(redis.zcount("locum:workers:locum.runs", time.time(), "+inf"))


def test_no_request_fails_while_every_process_is_replaced(
    locum: Locum, ports: dict[str, int], model: str, script: Callable[..., None]
) -> None:
    script(Turn(text=_TEXT, delay=0.03), repeat=True)
    is_over = threading.Event()

    def use(port: int, *, streams: bool) -> int:
        """Runs one after the other, with the client's own retries; gives their number."""
        runs = 0
        with OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=locum.api_key) as client:
            assistant = client.beta.assistants.create(model=model)
            while not is_over.is_set():
                thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hi"}])
                if streams:
                    with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
                        stream.until_done()
                else:
                    run = client.beta.threads.runs.create_and_poll(
                        thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=50
                    )
                    assert run.status == "completed"
                (message, _) = client.beta.threads.messages.list(thread.id).data
                assert message.content[0].type == "text"
                assert message.content[0].text.value == "".join(_TEXT)
                runs += 1
        return runs

    with before_apis(list(ports.values())) as port, ThreadPoolExecutor(3) as pool:
        users = [pool.submit(use, port, streams=number == 0) for number in range(3)]
        try:
            for name, own_port in ports.items():
                replace(locum, name, "api", "--port", str(own_port))
                wait_until_up(own_port)
            for name in ("worker", "worker2"):
                wait_for(lambda: workers(locum) == 2, "both workers", 30)
                replace(locum, name, "worker")
            wait_for(lambda: workers(locum) == 2, "both workers", 30)
        finally:
            is_over.set()
        assert all(user.result(60) for user in users)
