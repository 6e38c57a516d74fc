"""A stream tells of its run within seconds while Redis is silent, and goes on in its log once that speaks again."""

import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from tests.fakes.turns import Turn
from tests.running import wait_for
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
