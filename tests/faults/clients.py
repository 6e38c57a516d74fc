"""Clients that do not give up: what fails for want of a server is tried again, elsewhere, as the same request."""

import itertools
import time
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import httpx2
from openai import APIConnectionError, InternalServerError, OpenAI, RateLimitError

from tests.conftest import BETA
from tests.faults.system import System

Result = TypeVar("Result")

_PATIENCE = 90.0
_PAUSE = 0.1
_ENDINGS = ("thread.run.completed", "thread.run.failed", "thread.run.cancelled", "thread.run.expired")


class Persistent:
    """The official client on all APIs in turn."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._clients = [
            OpenAI(base_url=system.base_url(api), api_key=system.locum.api_key, max_retries=0, timeout=15)
            for api in system.apis
        ]
        self._next = itertools.cycle(self._clients)

    def close(self) -> None:
        """Ends the connections."""
        for client in self._clients:
            client.close()

    def call(self, request: Callable[[OpenAI, dict[str, str]], Result]) -> Result:
        """What `request` gives, however often it takes; it is given headers that make it one request."""
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                return request(next(self._next), headers)
            except (APIConnectionError, InternalServerError, RateLimitError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE)

    def follow(self, thread_id: str, run_id: str) -> "Followed":
        """Reads a run's events to its ending, going on behind the last one on another API whenever it is cut off."""
        followed = Followed()
        deadline = time.monotonic() + _PATIENCE
        headers = {"Authorization": f"Bearer {self._system.locum.api_key}", **BETA}
        for api in itertools.cycle(self._system.apis):
            if followed.ended:
                return followed
            if time.monotonic() > deadline:
                raise TimeoutError(f"{run_id} is not told of to its end: {followed.names[-3:]}")
            last = {"Last-Event-ID": followed.ids[-1]} if followed.ids else {}
            url = f"{self._system.base_url(api)}/threads/{thread_id}/runs/{run_id}/events"
            try:
                with httpx2.stream("GET", url, headers={**headers, **last}, timeout=5) as response:
                    if response.status_code == 200:
                        followed.read(response)
            except httpx2.TransportError:
                pass
            time.sleep(_PAUSE)
        raise AssertionError


class Followed:
    """The events of a run as one reader has seen them, over all its connections."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.names: list[str] = []
        self.data: list[str] = []
        #: When they came, by this machine's clock.
        self.times: list[float] = []

    @property
    def ended(self) -> bool:
        """Whether the ending of the run has come."""
        return any(name in _ENDINGS for name in self.names)

    def read(self, response: Any) -> None:
        """Takes whole events from an answer until it ends or is cut off."""
        fields: dict[str, str] = {}
        for line in response.iter_lines():
            if line:
                name, _, value = line.partition(":")
                fields[name] = value.strip()
                continue
            if "id" in fields and fields.get("event") != "done":
                self.ids.append(fields["id"])
                self.names.append(fields["event"])
                self.data.append(fields["data"])
                self.times.append(time.time())
            fields = {}

    @property
    def places(self) -> list[tuple[int, int]]:
        """The ids as numbers, which only ever rise."""
        return [(int(attempt), int(number)) for attempt, _, number in (id_.partition("-") for id_ in self.ids)]
