"""What a turn has written so far, in memory: the message and the tool calls that its deltas add up to."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from app import ids
from app.backends.base import Finish
from app.db.base import Json
from app.events import RunEvent
from app.models import Message, RunStep
from app.text import to_json
from workers.engine.annotations import AnnotationScanner
from workers.engine.pieces import Annotated
from workers.tools.base import UPSTREAM, CallDraft
from workers.tools.material import Material
from workers.tools.toolbox import Toolbox

#: The JSON of a text delta: what stands before its text, the text, what stands after it.
TextPiece = tuple[bytes, str, bytes]


@dataclass(slots=True)
class _Part:
    """A part of text or refusal: its text in pieces, and what is annotated in it."""

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
    """A message being written: images first, then text, with a new part wherever a refusal begins or ends."""

    def __init__(self, message: Message, step: RunStep, material: Material) -> None:
        self.message = message
        self.step = step
        #: The rows' ids, readable even when a transaction was given up in the middle.
        self.id = message.id
        self.step_id = step.id
        self._images = material.images
        self._parts: list[_Part] = []
        self._scanner = AnnotationScanner(material) if material.sources or material.files else None

    def begin(self) -> Iterator[RunEvent]:
        """The deltas of the images that the message shows."""
        for index, file_id in enumerate(self._images):
            yield self._delta({"index": index, "type": "image_file", "image_file": {"file_id": file_id}})

    def add(self, kind: str, piece: str) -> Iterator[TextPiece | RunEvent]:
        """Takes a piece of `text` or `refusal`; gives the deltas to tell, an annotated piece as a whole."""
        if self._scanner is None:
            yield self._text(kind, piece)
        elif kind == "text":
            yield from self._scanned(self._scanner.feed(piece))
        else:
            yield from self.end()
            yield self._text(kind, piece)

    def blank(self, text: str) -> Iterator[TextPiece | RunEvent]:
        """What a message says that says nothing: one part of text, as clients read the first part of any message."""
        if not self._images:
            yield self._text("text", text)

    def end(self) -> Iterator[TextPiece | RunEvent]:
        """The last deltas, of text that was held back because it might have been longer."""
        if self._scanner is not None:
            yield from self._scanned(self._scanner.end())

    def _scanned(self, found: Iterable[str | Annotated]) -> Iterator[TextPiece | RunEvent]:
        for piece in found:
            yield self._annotated(piece) if isinstance(piece, Annotated) else self._text("text", piece)

    def _part(self, kind: str) -> tuple[_Part, int, bool]:
        """The part that `kind` is added to, its index, and whether it is a new one."""
        is_new = not self._parts or self._parts[-1].kind != kind
        if is_new:
            self._parts.append(_Part(kind))
        return self._parts[-1], len(self._images) + len(self._parts) - 1, is_new

    def _text(self, kind: str, piece: str) -> TextPiece:
        """A part's first delta has its empty annotations, later ones leave them out (contract, section 7)."""
        part, index, is_first = self._part(kind)
        part.pieces.append(piece)
        part.length += len(piece)
        head = b'{"id":"%s","object":"thread.message.delta","delta":{"content":[{"index":%d,"type":"%s",' % (
            self.id.encode(),
            index,
            kind.encode(),
        )
        if kind == "refusal":
            return head + b'"refusal":', piece, b"}]}}"
        return head + b'"text":{"value":', piece, b',"annotations":[]}}]}}' if is_first else b"}}]}}"

    def _annotated(self, piece: Annotated) -> RunEvent:
        """The text and its annotation come in one delta (contract, section 7)."""
        part, index, _ = self._part("text")
        annotation = piece.annotation(part.length)
        part.pieces.append(piece.text)
        part.length += len(piece.text)
        part.annotations.append(annotation)
        told = {"value": piece.text, "annotations": [{"index": len(part.annotations) - 1, **annotation}]}
        return self._delta({"index": index, "type": "text", "text": told})

    def _delta(self, part: Json) -> RunEvent:
        body = {"id": self.id, "object": "thread.message.delta", "delta": {"content": [part]}}
        return RunEvent("thread.message.delta", to_json(body))

    def content(self) -> list[Json]:
        """The parts as a message holds them."""
        images = [
            {"type": "image_file", "image_file": {"file_id": file_id, "detail": "auto"}} for file_id in self._images
        ]
        held = "" if self._scanner is None else self._scanner.held
        last = len(self._parts) - 1
        parts = [part.stored(held if position == last else "") for position, part in enumerate(self._parts)]
        return images + (parts or ([_Part("text").stored(held)] if held else []))

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
    _end: Finish | None = None

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

    def end(self, finish: Finish) -> None:
        """Takes what the server is to be given back with these calls."""
        self._end = finish

    def calls(self) -> list[Json]:
        """The calls as they are stored."""
        stored: list[Json] = []
        for number, draft in self._calls.items():
            upstream = self._upstream(number, is_first=not stored)
            stored.append(draft.call() | ({UPSTREAM: upstream} if upstream else {}))
        return stored

    def _upstream(self, number: int, *, is_first: bool) -> Json:
        if self._end is None:
            return {}
        message = {"message": self._end.message} if is_first and self._end.message else {}
        return {**self._end.calls.get(number, {}), **message}


def call_delta(step_id: str, index: int, told: Json) -> RunEvent:
    """The delta of a step that tells something of its call number `index`."""
    details = {"type": "tool_calls", "tool_calls": [{"index": index, **told}]}
    body = {"id": step_id, "object": "thread.run.step.delta", "delta": {"step_details": details}}
    return RunEvent("thread.run.step.delta", to_json(body))
