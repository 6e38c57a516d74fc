"""What a turn has written so far, in memory: the message and the tool calls that its deltas add up to."""

from dataclasses import dataclass, field

import orjson

from app import ids
from app.db.base import Json
from app.events import RunEvent
from app.models import Message, RunStep
from workers.tools import function


@dataclass(slots=True)
class MessageDraft:
    """A message being written, part by part: a new part begins when text follows a refusal or the reverse."""

    message: Message
    step: RunStep
    #: The rows' ids, readable even when a transaction was given up in the middle.
    id: str
    step_id: str
    _kinds: list[str] = field(default_factory=list)
    _pieces: list[list[str]] = field(default_factory=list)

    def add(self, kind: str, piece: str) -> tuple[bytes, bytes]:
        """Takes a piece of `text` or `refusal`; gives what stands before and after it in the JSON of its delta.

        A part's first delta has its empty annotations, later ones leave them out (contract, section 7).
        """
        is_first = not self._kinds or self._kinds[-1] != kind
        if is_first:
            self._kinds.append(kind)
            self._pieces.append([])
        self._pieces[-1].append(piece)
        head = b'{"id":"%s","object":"thread.message.delta","delta":{"content":[{"index":%d,"type":"%s",' % (
            self.id.encode(),
            len(self._kinds) - 1,
            kind.encode(),
        )
        if kind == "refusal":
            return head + b'"refusal":', b"}]}}"
        return head + b'"text":{"value":', b',"annotations":[]}}]}}' if is_first else b"}}]}}"

    def content(self) -> list[Json]:
        """The parts as a message holds them."""
        return [_part(kind, "".join(pieces)) for kind, pieces in zip(self._kinds, self._pieces, strict=True)]

    def text(self) -> str:
        """All that was written."""
        return "".join(piece for pieces in self._pieces for piece in pieces)


def _part(kind: str, value: str) -> Json:
    if kind == "refusal":
        return {"type": "refusal", "refusal": value}
    return {"type": "text", "text": {"value": value, "annotations": []}}


@dataclass(slots=True)
class _Call:
    id: str
    name: str
    arguments: list[str]


@dataclass(slots=True)
class CallsDraft:
    """The tool calls of a turn being made. `at_most_one` drops every call but the first."""

    step: RunStep
    id: str
    at_most_one: bool
    _calls: dict[int, _Call] = field(default_factory=dict)

    def add(self, backend_index: int, name: str | None, arguments: str) -> RunEvent | None:
        """Takes a piece of the backend's call `backend_index`; gives the delta to tell, or None for a dropped call.

        Clients number the calls from 0, without gaps, and join the strings of all deltas: id and name are told once.
        """
        call = self._calls.get(backend_index)
        if call is not None:
            call.arguments.append(arguments)
            told: Json = {"arguments": arguments}
            return self._delta({"index": self._position(backend_index), "type": "function", "function": told})
        if self.at_most_one and self._calls:
            return None
        call = _Call(ids.new(ids.TOOL_CALL), name or "", [arguments])
        self._calls[backend_index] = call
        told = {"name": call.name, "arguments": arguments, "output": None}
        index = self._position(backend_index)
        return self._delta({"index": index, "id": call.id, "type": "function", "function": told})

    def _position(self, backend_index: int) -> int:
        return list(self._calls).index(backend_index)

    def _delta(self, call: Json) -> RunEvent:
        body = {
            "id": self.id,
            "object": "thread.run.step.delta",
            "delta": {"step_details": {"type": "tool_calls", "tool_calls": [call]}},
        }
        return RunEvent("thread.run.step.delta", orjson.dumps(body))

    def calls(self) -> list[Json]:
        """The calls as a step's details hold them; a call without arguments has those of an empty object."""
        return [
            function.call(call.id, call.name, "".join(call.arguments).strip() or "{}") for call in self._calls.values()
        ]
