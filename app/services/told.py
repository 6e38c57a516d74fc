"""What events have told of a run: which of its steps and messages were begun, and which of them have ended.

A worker that is killed takes what it had not told with it, and a turn that it left half done is done anew. Whoever has
seen the old turn begin is then to see it end, whatever of its rows is left.
"""

from collections.abc import Container
from typing import Final

import orjson

from app.db.base import Json, now
from app.events import RunEvent, object_id
from app.text import to_json

#: The official client looks up the part that a message's last delta was about, and breaks where there is none.
NO_TEXT: Final[Json] = {"type": "text", "text": {"value": "", "annotations": []}}
_STEP: Final = "thread.run.step"
_MESSAGE: Final = "thread.message"


class Told:
    """What a series of events has told so far. Deltas need not be among them."""

    def __init__(self) -> None:
        self._told: set[tuple[str, bytes]] = set()
        self._open: dict[bytes, RunEvent] = {}
        self._ended: set[bytes] = set()
        self.last: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether something has begun that has not ended."""
        return bool(self._open)

    def has(self, item: RunEvent) -> bool:
        """Whether an event by this name about this object was told."""
        return (item.name, object_id(item.data)) in self._told

    def has_told(self, name: str, of: str) -> bool:
        """The same, by the object's id."""
        return (name, of.encode()) in self._told

    def knows_object_of(self, item: RunEvent) -> bool:
        """Whether it was told that the step or message of an event was created; of other objects it is known."""
        kind, _, state = item.name.rpartition(".")
        if kind not in (_STEP, _MESSAGE) or state == "created":
            return True
        return (f"{kind}.created", object_id(item.data)) in self._told

    def is_behind(self, item: RunEvent) -> bool:
        """Whether an event says nothing new: of a step or a message that has ended, or what was told of it before."""
        if item.name.rpartition(".")[0] not in (_STEP, _MESSAGE):
            return False
        return object_id(item.data) in self._ended or self.has(item)

    def has_ended(self, delta: RunEvent) -> bool:
        """Whether that which a delta is about has ended."""
        return object_id(delta.data) in self._ended

    def take(self, item: RunEvent) -> None:
        """Notes the next event."""
        kind, _, state = item.name.rpartition(".")
        key = object_id(item.data)
        self.last = item.name
        self._told.add((item.name, key))
        if kind not in (_STEP, _MESSAGE):
            return
        if state == "created":
            self._open[key] = item
        elif state not in ("in_progress", "delta"):
            self._open.pop(key, None)
            self._ended.add(key)

    def end_dropped(self, kept: Container[str]) -> list[RunEvent]:
        """The events that end what is open and not among the ids `kept`: the inner ones first."""
        return [_ended(item) for key, item in reversed(self._open.items()) if key.decode() not in kept]


def _ended(created: RunEvent) -> RunEvent:
    """The end of a step or a message that is done anew, by the event of its creation."""
    thing: Json = orjson.loads(created.data)
    at = int(now().timestamp())
    if created.name.startswith(_MESSAGE):
        reason = {"reason": "run_failed"}
        thing |= {"status": "incomplete", "incomplete_at": at, "incomplete_details": reason, "content": [NO_TEXT]}
        return RunEvent(f"{_MESSAGE}.incomplete", to_json(thing))
    error = {"code": "server_error", "message": "The worker was lost; this turn is done anew."}
    thing |= {"status": "failed", "failed_at": at, "last_error": error}
    return RunEvent(f"{_STEP}.failed", to_json(thing))
