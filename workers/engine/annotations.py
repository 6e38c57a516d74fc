"""Finds, in text that arrives in pieces of any size, what is to be annotated.

That is the markers by which a model cites, 【turn:index†filename】, and its links to files that its code has written,
sandbox:/mnt/data/name.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from app.db.base import Json
from workers.tools.material import Material, marker

_OPENING: Final = "【"
_CLOSING: Final = "】"
_MARKER: Final = re.compile(r"【\s*(\d{1,6})\s*:\s*(\d{1,6})\s*(?:†[^【】]*)?】")
#: What has not become a marker by then is no marker.
_LONGEST: Final = 400


@dataclass(frozen=True, slots=True)
class Annotated:
    """A piece of text with an annotation; `kind` and `details` are the annotation's (contract, section 8)."""

    text: str
    kind: str
    details: Json

    def annotation(self, start: int) -> Json:
        """The annotation of the piece that begins at `start`, in code points."""
        return {
            "type": self.kind,
            "text": self.text,
            "start_index": start,
            "end_index": start + len(self.text),
            self.kind: self.details,
        }


class AnnotationScanner:
    """Cuts the text of one message into plain and annotated pieces; joined, they are the text again.

    Only the labels of markers are made anew: models shorten them, and clients find markers by their form. A marker or
    link that stands for nothing is text.
    """

    def __init__(self, material: Material) -> None:
        self._sources = material.sources
        self._links = {**material.links, **{quote(link, safe="/:"): file for link, file in material.links.items()}}
        self._starts = ([_OPENING] if self._sources else []) + sorted(self._links, key=len, reverse=True)
        self._held = ""

    def feed(self, piece: str) -> Iterator[str | Annotated]:
        """What `piece` completes; the beginning of what may be annotated is held back."""
        text = self._held + piece
        self._held = ""
        plain_from = position = 0
        while position < len(text):
            if not self._may_begin(text, position):
                position += 1
                continue
            found = self._at(text, position)
            if found is None:  # more must come
                break
            length, annotated = found
            if annotated is None:
                position += length
                continue
            if position > plain_from:
                yield text[plain_from:position]
            yield annotated
            position += length
            plain_from = position
        if position > plain_from:
            yield text[plain_from:position]
        self._held = text[position:]

    def end(self) -> Iterator[str | Annotated]:
        """What was held back at the end of the text: a link may have been whole, but for a longer one."""
        text, self._held = self._held, ""
        link = next((link for link in self._starts if link != _OPENING and text.startswith(link)), None)
        if link is not None:
            yield self._link(link)
            text = text[len(link) :]
        if text:
            yield text

    @property
    def held(self) -> str:
        """What is held back at this moment."""
        return self._held

    def _may_begin(self, text: str, position: int) -> bool:
        return text[position] in (_OPENING, "s") and any(
            text.startswith(start, position) or start.startswith(text[position:]) for start in self._starts
        )

    def _at(self, text: str, position: int) -> tuple[int, Annotated | None] | None:
        """The length of the piece at `position` and its annotation, if it has one; None if that is not known yet."""
        if text[position] == _OPENING:
            end = _end(text, position)
            return None if end is None else (end - position, self._citation(text[position:end]))
        rest = text[position:]
        if any(len(link) > len(rest) and link.startswith(rest) for link in self._links):
            return None
        link = next((link for link in self._starts if rest.startswith(link)), None)
        return (1, None) if link is None else (len(link), self._link(link))

    def _citation(self, candidate: str) -> Annotated | None:
        found = _MARKER.fullmatch(candidate)
        if found is None:
            return None
        number, position = int(found[1]), int(found[2])
        source = self._sources.get((number, position))
        if source is None:
            return None
        details = {"file_id": source.file_id, "quote": source.quote}
        return Annotated(marker(number, position, source.filename), "file_citation", details)

    def _link(self, link: str) -> Annotated:
        return Annotated(link, "file_path", {"file_id": self._links[link]})


def _end(text: str, start: int) -> int | None:
    """Where the piece with the opening bracket at `start` ends; None if that is not known yet."""
    closing = text.find(_CLOSING, start)
    opening = text.find(_OPENING, start + 1)
    ends = [end for end in (closing + len(_CLOSING) if closing >= 0 else -1, opening) if end >= 0]
    if ends:
        return min(ends)
    return len(text) if len(text) - start >= _LONGEST else None


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
