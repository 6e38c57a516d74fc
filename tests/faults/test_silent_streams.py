"""A stream tells of its run within seconds while Redis is silent, and goes on in its log once that speaks again."""

import contextlib
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import httpx2
import orjson
import pytest

from app.events import Place
from tests.fakes.turns import Call, Turn
from tests.running import Locum, wait_for
from tests.stack import BreakableStack

Script = Callable[..., None]

_SILENT_SECONDS = 15


class _Reader:
    """Reads to the first event by a name, and no further."""

    def __init__(self, until: str) -> None:
        self.ids: list[str] = []
        self.names: list[str] = []
        self._until = until

    def read(self, response: Any) -> None:
        for line in response.iter_lines():
            name, _, value = line.partition(":")
            if name == "event":
                self.names.append(value.strip())
            elif name == "id":
                self.ids.append(value.strip())
            if not line and self.names and self.names[-1] == self._until:
                return


@pytest.fixture
def run(servers: BreakableStack, http: httpx2.Client, model: str, script: Script) -> dict[str, Any]:
    """A run that was made, and begun, while Redis said nothing; its model takes its time."""
    script(Turn(text=["word "] * 40, delay=0.4), repeat=True)
    assistant = http.post("/assistants", json={"model": model}).json()["id"]
    thread = {"messages": [{"role": "user", "content": "Hi"}]}
    made: dict[str, Any] = {}
    with servers.frozen("valkey"):
        asked = http.post("/threads/runs", json={"assistant_id": assistant, "thread": thread})
        assert asked.status_code == 200
        made = asked.json()
        path = f"/threads/{made['thread_id']}/runs/{made['id']}"
        began = time.monotonic()
        reader = _Reader("thread.run.in_progress")
        with http.stream("GET", f"{path}/events") as response:
            reader.read(response)
        assert time.monotonic() - began < _SILENT_SECONDS
        assert reader.names == ["thread.run.created", "thread.run.queued", "thread.run.in_progress"]
        made["last"] = reader.ids[-1]
        made["path"] = f"{path}/events"
    return made


@pytest.mark.timeout(120)
@pytest.mark.parametrize("is_resumed", [True, False])
def test_a_stream_that_began_in_silence_goes_on_in_the_log(
    http: httpx2.Client, run: dict[str, Any], is_resumed: bool
) -> None:
    headers = {"Last-Event-ID": run["last"]} if is_resumed else {}
    names: list[str] = []

    def is_told() -> bool:
        reader = _Reader("done")
        with http.stream("GET", run["path"], headers=headers) as response:
            reader.read(response)
        names[:] = reader.names
        return names[-2:] == ["thread.run.completed", "done"]

    wait_for(is_told, "the ending", 30)
    assert names.count("thread.run.in_progress") == (0 if is_resumed else 1)
    assert names.count("thread.run.created") == (0 if is_resumed else 1)
    assert names.count("thread.message.completed") == 1


@pytest.fixture
def in_two_turns(http: httpx2.Client, model: str, script: Script) -> str:
    """The path of a run that writes slowly, calls what it cannot call, and writes again; nobody has read of it."""
    bad_call = Call("get_time", "[1]")
    script(Turn(text=["word "] * 8, delay=0.4, tool_calls=[bad_call]), Turn(text=["more "] * 60, delay=0.4))
    tools = [{"type": "function", "function": {"name": "get_time"}}]
    assistant = http.post("/assistants", json={"model": model, "tools": tools}).json()["id"]
    thread = {"messages": [{"role": "user", "content": "Hi"}]}
    asked = http.post("/threads/runs", json={"assistant_id": assistant, "thread": thread})
    assert asked.status_code == 200
    run: dict[str, Any] = asked.json()
    return f"/threads/{run['thread_id']}/runs/{run['id']}"


class _Follower:
    """Reads a run's events over as many connections as it takes."""

    def __init__(self, http: httpx2.Client, path: str) -> None:
        self._http = http
        self._path = f"{path}/events"
        self.ids: list[str] = []
        self.told: list[tuple[str, str]] = []

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.told]

    def read(self, until: Callable[[], bool], seconds: float | None = None) -> None:
        """Reads on a new connection until what was told is enough, or for `seconds`."""
        headers = {"Last-Event-ID": self.ids[-1]} if self.ids else {}
        with (
            contextlib.suppress(httpx2.ReadTimeout),
            self._http.stream("GET", self._path, headers=headers, timeout=seconds or 30) as response,
        ):
            fields: dict[str, str] = {}
            for line in response.iter_lines():
                name, _, value = line.partition(": ")
                fields[name] = value
                if not line and "event" in fields:
                    self._take(fields)
                    fields = {}
                    if until():
                        return

    def _take(self, fields: dict[str, str]) -> None:
        if fields["event"] != "done":
            self.ids.append(fields["id"])
        about = "" if fields["event"] == "done" else orjson.loads(fields["data"])["id"]
        self.told.append((fields["event"], about))


@pytest.mark.timeout(150)
@pytest.mark.parametrize("seconds", [None, 3.0], ids=["on one connection", "on many"])
def test_what_happens_in_mid_run_is_told_while_redis_is_silent(
    servers: BreakableStack, http: httpx2.Client, in_two_turns: str, seconds: float | None
) -> None:
    follower = _Follower(http, in_two_turns)
    follower.read(lambda: "thread.message.delta" in follower.names)
    with servers.frozen("valkey"):
        wait_for(lambda: len(http.get(f"{in_two_turns}/steps").json()["data"]) == 3, "the second message", 30)
        began = time.monotonic()

        def knows_both() -> bool:
            return follower.names.count("thread.message.created") == 2

        while not knows_both():
            assert time.monotonic() - began < _SILENT_SECONDS
            follower.read(knows_both, seconds)
        assert "thread.message.completed" in follower.names
        assert "thread.run.step.failed" in follower.names
    while "done" not in follower.names:
        follower.read(lambda: False, seconds and 10)
    _assert_told_once(follower)
    second = follower.told[-4][1]
    assert follower.names[-4:] == [
        "thread.message.completed",
        "thread.run.step.completed",
        "thread.run.completed",
        "done",
    ]
    assert ("thread.message.delta", second) in follower.told, "it goes on in the log"


@pytest.mark.timeout(150)
def test_a_log_that_was_lost_in_mid_run_is_gone_on_with(http: httpx2.Client, in_two_turns: str, locum: Locum) -> None:
    first = _Follower(http, in_two_turns)
    first.read(lambda: "thread.message.delta" in first.names)
    with locum.redis() as redis:
        redis.flushall()
    late = _Follower(http, in_two_turns)
    late.read(lambda: False)
    _assert_told_once(late)
    assert late.names[:2] == ["thread.run.created", "thread.run.queued"]
    messages = [about for name, about in late.told if name == "thread.message.created"]
    assert len(messages) == 2
    # Of the first the reader has what there is: all at once, when it was whole. (Its first pieces are lost.)
    assert ("thread.message.delta", messages[0]) not in late.told
    assert late.told.count(("thread.message.delta", messages[1])) > 10
    first.read(lambda: False)
    _assert_told_once(first)
    assert ("thread.message.delta", messages[1]) in first.told


def _assert_told_once(follower: _Follower) -> None:
    """Everything once, and in the order of the places, over all connections."""
    states = [told for told in follower.told if not told[0].endswith(".delta") and "thread.run." in told[0]]
    assert len(states) == len(set(states))
    places = [Place.parse(place) for place in follower.ids]
    assert all(one < other for one, other in pairwise(places))
