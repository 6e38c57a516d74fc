"""Finds the markers by which a model cites, 【turn:index†filename】, in text that arrives in pieces of any size."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from app.db.base import Json
from workers.tools.file_search import Source, marker

#: By turn and index.
Sources = Mapping[tuple[int, int], Source]

_OPENING: Final = "【"
_CLOSING: Final = "】"
_MARKER: Final = re.compile(r"【\s*(\d{1,6})\s*:\s*(\d{1,6})\s*(?:†[^【】]*)?】")
#: What has not become a marker by then is no marker.
_LONGEST: Final = 400


@dataclass(frozen=True, slots=True)
class Citation:
    """A marker, as it stands in the text, and what it stands for."""

    text: str
    source: Source

    def annotation(self, start: int) -> Json:
        """The annotation of the marker that begins at `start`, in code points (contract, section 8)."""
        return {
            "type": "file_citation",
            "text": self.text,
            "start_index": start,
            "end_index": start + len(self.text),
            "file_citation": {"file_id": self.source.file_id, "quote": self.source.quote},
        }


class CitationScanner:
    """Cuts the text of one message into plain pieces and citations; joined, they are the text again.

    Only the labels of markers are made anew: models shorten them, and clients find markers by their form. A marker
    that stands for nothing is text.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._held = ""

    def feed(self, piece: str) -> Iterator[str | Citation]:
        """What `piece` completes; the beginning of what may be a marker is held back."""
        if not self._held and _OPENING not in piece:
            yield piece
            return
        text = self._held + piece
        self._held = ""
        while text:
            before, opening, rest = text.partition(_OPENING)
            if before:
                yield before
            if not opening:
                return
            end = _end(rest)
            if end is None:
                self._held = opening + rest
                return
            candidate, text = opening + rest[:end], rest[end:]
            yield self._citation(candidate) or candidate

    def end(self) -> str:
        """What was held back at the end of the text."""
        held, self._held = self._held, ""
        return held

    @property
    def held(self) -> str:
        """What is held back at this moment."""
        return self._held

    def _citation(self, candidate: str) -> Citation | None:
        found = _MARKER.fullmatch(candidate)
        if found is None:
            return None
        number, position = int(found[1]), int(found[2])
        source = self._sources.get((number, position))
        return None if source is None else Citation(marker(number, position, source.filename), source)


def _end(rest: str) -> int | None:
    """Where, in what follows an opening bracket, its piece ends; None if that is not known yet."""
    ends = [position + len(_CLOSING) for position in (rest.find(_CLOSING),) if position >= 0]
    next_opening = rest.find(_OPENING)
    if next_opening >= 0:
        ends.append(next_opening)
    if ends:
        return min(ends)
    return len(rest) if len(rest) >= _LONGEST else None


def without_markers(part: Json) -> str:
    """The text of a stored part without its citations: their markers stand for what the model no longer sees."""
    value: str = part["value"]
    spans = sorted(
        (annotation["start_index"], annotation["end_index"])
        for annotation in part["annotations"]
        if annotation["type"] == "file_citation"
    )
    kept, position = [], 0
    for start, end in spans:
        if start >= position:
            kept.append(value[position:start])
            position = end
    return "".join([*kept, value[position:]])
