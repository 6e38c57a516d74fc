"""The grammar of a run's stream: what may follow what (docs/contract.md, section 7). Pure, and apart from the product.

    order = EventOrder("run")
    for each event: order.take(name, data, event_id)
    order.end()
    order.faults                      # what was wrong, in words; empty if nothing was

A run, its steps and its messages each go through states of their own; each inner one begins and ends within the outer
one; the pieces of deltas add up to what is told at the end.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Final, Literal

#: What a stream is the answer to: what it begins with. "middle": it was resumed behind some event.
Beginning = Literal["run", "thread", "outputs", "log", "middle"]

#: What a run may become, by what it was; None is before its first event.
_RUN: Final[dict[str | None, set[str]]] = {
    None: {"created"},
    "created": {"queued"},
    "queued": {"in_progress", "cancelling", "cancelled", "expired", "failed"},
    "in_progress": {
        *("queued", "requires_action", "completed", "incomplete", "failed", "expired", "cancelling", "cancelled"),
    },
    "requires_action": {"queued", "cancelling", "cancelled", "expired"},
    "cancelling": {"cancelled", "completed", "incomplete", "failed", "expired"},
}
_ENDINGS: Final = {"completed", "incomplete", "failed", "cancelled", "expired"}
_STEP: Final = {
    "created": {"in_progress"},
    "in_progress": {"in_progress", "delta", "completed", "failed", "cancelled", "expired"},
}
_MESSAGE: Final = {
    "created": {"in_progress"},
    "in_progress": {"in_progress", "delta", "completed", "incomplete"},
}
#: The names of events. Clients do not know others: openai-dotnet (2.13) ends a stream at one, and says nothing.
NAMES: Final = {
    *("thread.created", "error", "done"),
    *(f"thread.run.{state}" for states in _RUN.values() for state in states),
    *(f"thread.run.step.{state}" for state in ("created", *(after for states in _STEP.values() for after in states))),
    *(f"thread.message.{state}" for state in ("created", *(after for states in _MESSAGE.values() for after in states))),
}
#: From here on are the numbers of events that are told from the database, where the log was lost: they tell how things
#: ended, and leave out what they went through.
_FROM_ROWS: Final = 2**32


@dataclass
class _Thing:
    """A step or a message, from its first event to its last."""

    kind: str
    state: str
    pieces: list[dict[str, Any]] = field(default_factory=list)


class EventOrder:
    """Takes the events of one stream, and notes what is out of order."""

    def __init__(self, beginning: Beginning = "run") -> None:
        self.faults: list[str] = []
        self._beginning = beginning
        self._names: list[str] = []
        self._run: str | None = None
        self._open: dict[str, _Thing] = {}
        self._closed: set[str] = set()
        self._time = 0
        self._is_over = False
        self._is_recovered = False
        self._place: tuple[int, int] | None = None

    def take(self, name: str, data: str, event_id: str | None = None) -> None:
        """Takes the next event, its data as it came."""
        if name not in NAMES:
            self._fault(f"{name} is no event that clients know")
        if self._names and self._names[-1] == "done":
            self._fault(f"{name} after done")
        if event_id is not None and name != "done":
            self._go_to(*map(int, event_id.split("-")))
        first = not self._names
        self._names.append(name)
        if name == "done":
            return self._done(data)
        if name == "error":
            self._is_over = True
            return None
        if self._is_over:
            self._fault(f"{name} after the ending")
        if first:
            self._begin(name)
        return self._take(name, json.loads(data))

    def _go_to(self, attempt: int, number: int) -> None:
        """Takes the place of the next event. Where some are left out the pieces of what is open are not all told."""
        before, self._place = self._place, (attempt, number)
        if number >= _FROM_ROWS:
            self._is_recovered = True
        if before is None or before == (attempt, number - 1):
            return
        for thing in self._open.values():
            # A message is never gone on with by another attempt; a step is.
            if before[0] == attempt or thing.kind == "message" or self._is_partial:
                thing.pieces = [{}]

    def go_on(self) -> None:
        """The run goes on behind a pause: in the log, where no stream ends."""
        self._is_over = False

    def end(self) -> None:
        """The server has ended the stream. (Not to be called when the reader went away.)"""
        if not self._names or self._names[-1] != "done":
            self._fault("the stream ends without done")

    def _fault(self, what: str) -> None:
        self.faults.append(f"{what} (of {', '.join(self._names[-6:])})")

    def _done(self, data: str) -> None:
        if data != "[DONE]":
            self._fault(f"done carries {data[:40]!r}")
        if not self._is_over and not (self._beginning == "middle" and len(self._names) == 1):
            self._fault("done before the run has ended or paused")

    def _begin(self, name: str) -> None:
        allowed = {
            "run": {"thread.run.created"},
            "thread": {"thread.created"},
            "outputs": {"thread.run.step.completed", "thread.run.queued"},
            "log": {"thread.run.created", "thread.created", "thread.run.step.created"},
            "middle": {name},
        }
        if name not in allowed[self._beginning] and not self._is_recovered:
            self._fault(f"begins with {name}")

    @property
    def _is_partial(self) -> bool:
        """Whether things may be going on that this stream has not seen the beginning of."""
        return self._beginning in ("middle", "outputs") or self._is_recovered

    def _take(self, name: str, data: dict[str, Any]) -> None:
        kind, _, state = name.removeprefix("thread.").rpartition(".")
        if "created_at" in data and name != "thread.created":
            self._in_time(name, data["created_at"])
        if kind == "run":
            self._take_run(state, data)
        elif kind in ("run.step", "message"):
            self._take_thing(kind, state, data)
        elif name != "thread.created" or len(self._names) > 1:
            self._fault(f"{name} is not expected")

    def _in_time(self, name: str, created_at: int) -> None:
        if name.endswith(".created") and created_at < self._time:
            self._fault(f"{name} has a created_at before that of what came earlier")
        self._time = max(self._time, created_at)

    def _take_run(self, state: str, run: dict[str, Any]) -> None:
        expected = "queued" if state == "created" else state
        if run["status"] != expected and not (state == "created" and self._beginning == "log"):
            self._fault(f"thread.run.{state} carries the status {run['status']}")
        unknown = self._run is None and (self._is_partial or self._beginning == "outputs")
        if state not in _RUN.get(self._run, set()) and not unknown and not self._is_recovered:
            self._fault(f"thread.run.{state} after {self._run or 'nothing'}")
        self._run = state
        if state in _ENDINGS and self._open:
            self._fault(f"thread.run.{state} while {', '.join(self._open)} are open")
        if state == "requires_action" and any(thing.kind == "message" for thing in self._open.values()):
            self._fault("thread.run.requires_action while a message is open")
        self._is_over = state in _ENDINGS or state == "requires_action"

    def _take_thing(self, kind: str, state: str, data: dict[str, Any]) -> None:
        key = data["id"]
        if key in self._closed:
            return self._fault(f"{kind}.{state} of {key}, which is closed")
        thing = self._open.get(key)
        if thing is None:
            thing = self._first_seen(kind, state, key)
        else:
            steps = _STEP if kind == "run.step" else _MESSAGE
            now = "in_progress" if thing.state == "delta" else thing.state
            if state not in steps[now] and not self._is_recovered:
                self._fault(f"{kind}.{state} after {now}")
            thing.state = state
        if state == "delta":
            return self._take_delta(thing, data["delta"])
        if data.get("status") not in (state, None) and state not in ("created", "in_progress"):
            self._fault(f"{kind}.{state} carries the status {data['status']}")
        if state not in ("created", "in_progress"):
            self._close(key, thing, data)
        return None

    def _first_seen(self, kind: str, state: str, key: str) -> _Thing:
        if state != "created" and not self._is_partial:
            self._fault(f"{kind}.{state} of {key}, which was not created")
        if self._run not in ("in_progress", "cancelling") and not self._is_partial:
            self._fault(f"{kind}.{state} while the run is {self._run}")
        in_step = any((thing.kind, thing.state) == ("run.step", "in_progress") for thing in self._open.values())
        if kind == "message" and not in_step and not self._is_partial:
            self._fault("a message outside of a step")
        thing = self._open[key] = _Thing(kind, state, [] if state == "created" else [{}])
        return thing

    def _take_delta(self, thing: _Thing, delta: dict[str, Any]) -> None:
        if self._run != "in_progress" and not self._is_partial:
            self._fault(f"a delta while the run is {self._run}")
        items = delta["content"] if thing.kind == "message" else delta["step_details"]["tool_calls"]
        for item in items:
            self._add(thing, item)

    def _add(self, thing: _Thing, item: dict[str, Any]) -> None:
        """Adds a piece of a delta to what came before, as clients do."""
        index = item.get("index")
        if not isinstance(index, int) or "type" not in item:
            return self._fault(f"a delta of a {thing.kind} without index or type")
        if thing.pieces == [{}] or self._is_recovered:  # its beginning was not seen
            return None
        if index > len(thing.pieces):
            return self._fault(f"index {index} of a {thing.kind} with {len(thing.pieces)} pieces")
        if index == len(thing.pieces):
            thing.pieces.append(json.loads(json.dumps(item)))
            if item["type"] == "text" and item["text"].get("annotations") is None:
                self._fault("the first delta of a text has no annotations")
            return None
        return self._merge(thing.pieces[index], item)

    def _merge(self, known: dict[str, Any], more: dict[str, Any]) -> None:
        """Joins strings and lists: an id or a name that is told again would become another one."""
        for name, value in more.items():
            before = known.get(name)
            if name in ("index", "type") or value is None:
                known.setdefault(name, value)
            elif name in ("id", "name") and before is not None:
                self._fault(f"{name} is told again")
            elif isinstance(value, dict) and isinstance(before, dict):
                self._merge(before, value)
            elif isinstance(value, str) and isinstance(before, str):
                known[name] = before + value
            elif isinstance(value, list) and isinstance(before, list):
                self._extend(before, value)
            else:
                known[name] = value

    def _extend(self, known: list[Any], more: list[Any]) -> None:
        if not more:
            self._fault("an empty list is told again")
        for item in more:
            if item.get("index") == len(known):
                known.append(item)
            elif isinstance(item.get("index"), int) and item["index"] < len(known):
                self._merge(known[item["index"]], item)
            else:
                self._fault(f"index {item.get('index')} of a list of {len(known)}")

    def _close(self, key: str, thing: _Thing, data: dict[str, Any]) -> None:
        inner = [other for other in self._open.values() if other.kind == "message"]
        if thing.kind == "run.step" and inner and data["type"] == "message_creation":
            self._fault("a step is closed while its message is open")
        del self._open[key]
        self._closed.add(key)
        if thing.pieces == [{}] or self._is_recovered or data.get("status") != "completed":
            return
        told = data["content"] if thing.kind == "message" else data["step_details"].get("tool_calls", [])
        whole = [_said(item) for item in told]
        if [_said(item) for item in thing.pieces] != whole:
            self._fault(f"the deltas of a {thing.kind} do not add up to it")


def _said(item: dict[str, Any]) -> Any:
    """What must be the same in the deltas and at the end."""
    kind = item["type"]
    match kind:
        case "text":
            spans = [
                (note["text"], note["start_index"], note["end_index"]) for note in item["text"].get("annotations", ())
            ]
            return kind, item["text"]["value"], spans
        case "refusal":
            return kind, item["refusal"]
        case "function":
            return kind, item["id"], item["function"]["name"], item["function"]["arguments"]
        case "code_interpreter":
            return kind, item["id"], item["code_interpreter"]["input"]
        case _:
            return kind, item.get("id"), item.get("image_file", {}).get("file_id")
