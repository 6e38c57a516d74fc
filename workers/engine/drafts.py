"""What a turn has written so far, in memory: the message and the tool calls that its deltas add up to."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import orjson

from app import ids
from app.db.base import Json
from app.events import RunEvent
from app.models import Message, RunStep
from workers.engine.citations import Citation, CitationScanner, Sources
from workers.tools.base import CallDraft
from workers.tools.toolbox import Toolbox

#: The JSON of a text delta: what stands before its text, the text, what stands after it.
TextPiece = tuple[bytes, str, bytes]


@dataclass(slots=True)
class _Part:
    """A part of a message: its text in pieces, and what is cited in it."""

    kind: str
    pieces: list[str] = field(default_factory=list)
    annotations: list[Json] = field(default_factory=list)
    length: int = 0

    def stored(self, rest: str) -> Json:
        value = "".join(self.pieces) + rest
        if self.kind == "refusal":
            return {"type": "refusal", "refusal": value}
        return {"type": "text", "text": {"value": value, "annotations": self.annotations}}


class MessageDraft:
    """A message being written, part by part: a new part begins when text follows a refusal or the reverse."""

    def __init__(self, message: Message, step: RunStep, sources: Sources) -> None:
        self.message = message
        self.step = step
        #: The rows' ids, readable even when a transaction was given up in the middle.
        self.id = message.id
        self.step_id = step.id
        self._parts: list[_Part] = []
        self._scanner = CitationScanner(sources) if sources else None

    def add(self, kind: str, piece: str) -> Iterator[TextPiece | RunEvent]:
        """Takes a piece of `text` or `refusal`; gives the deltas to tell: of text, or of a citation as a whole."""
        if self._scanner is None:
            yield self._text(kind, piece)
            return
        if kind != "text":
            yield from self.end()
            yield self._text(kind, piece)
            return
        for found in self._scanner.feed(piece):
            yield self._citation(found) if isinstance(found, Citation) else self._text(kind, found)

    def end(self) -> Iterator[TextPiece | RunEvent]:
        """The last delta, of text that might have become a citation."""
        if self._scanner is not None and (rest := self._scanner.end()):
            yield self._text("text", rest)

    def _part(self, kind: str) -> tuple[_Part, bool]:
        """The part that `kind` is added to, and whether it is a new one."""
        if self._parts and self._parts[-1].kind == kind:
            return self._parts[-1], False
        self._parts.append(_Part(kind))
        return self._parts[-1], True

    def _text(self, kind: str, piece: str) -> TextPiece:
        """A part's first delta has its empty annotations, later ones leave them out (contract, section 7)."""
        part, is_first = self._part(kind)
        part.pieces.append(piece)
        part.length += len(piece)
        head = b'{"id":"%s","object":"thread.message.delta","delta":{"content":[{"index":%d,"type":"%s",' % (
            self.id.encode(),
            len(self._parts) - 1,
            kind.encode(),
        )
        if kind == "refusal":
            return head + b'"refusal":', piece, b"}]}}"
        return head + b'"text":{"value":', piece, b',"annotations":[]}}]}}' if is_first else b"}}]}}"

    def _citation(self, citation: Citation) -> RunEvent:
        """Marker and annotation come in one delta (contract, section 7)."""
        part, _ = self._part("text")
        annotation = citation.annotation(part.length)
        part.pieces.append(citation.text)
        part.length += len(citation.text)
        part.annotations.append(annotation)
        told = {"value": citation.text, "annotations": [{"index": len(part.annotations) - 1, **annotation}]}
        content = [{"index": len(self._parts) - 1, "type": "text", "text": told}]
        body = {"id": self.id, "object": "thread.message.delta", "delta": {"content": content}}
        return RunEvent("thread.message.delta", orjson.dumps(body))

    def content(self) -> list[Json]:
        """The parts as a message holds them."""
        held = "" if self._scanner is None else self._scanner.held
        last = len(self._parts) - 1
        parts = [part.stored(held if position == last else "") for position, part in enumerate(self._parts)]
        return parts or ([_Part("text").stored(held)] if held else [])

    def text(self) -> str:
        """All that was written."""
        return "".join(piece for part in self._parts for piece in part.pieces)


@dataclass(slots=True)
class CallsDraft:
    """The tool calls of a turn being made. `at_most_one` drops every call but the first."""

    step: RunStep
    id: str
    toolbox: Toolbox
    at_most_one: bool
    _calls: dict[int, CallDraft] = field(default_factory=dict)

    def add(self, backend_index: int, name: str | None, arguments: str) -> RunEvent | None:
        """Takes a piece of the backend's call `backend_index`; gives the delta to tell, if there is one.

        Clients number the calls from 0, without gaps.
        """
        draft = self._calls.get(backend_index)
        if draft is None:
            if self.at_most_one and self._calls:
                return None
            draft = self._calls[backend_index] = self.toolbox.draft(ids.new(ids.TOOL_CALL), name or "")
        told = draft.add(arguments)
        if told is None:
            return None
        return call_delta(self.id, list(self._calls).index(backend_index), told)

    def calls(self) -> list[Json]:
        """The calls as they are stored."""
        return [draft.call() for draft in self._calls.values()]


def call_delta(step_id: str, index: int, told: Json) -> RunEvent:
    """The delta of a step that tells something of its call number `index`."""
    details = {"type": "tool_calls", "tool_calls": [{"index": index, **told}]}
    body = {"id": step_id, "object": "thread.run.step.delta", "delta": {"step_details": details}}
    return RunEvent("thread.run.step.delta", orjson.dumps(body))
