"""Finds, in text that arrives in pieces of any size, what is to be annotated: citations and links to written files."""

import re
from collections.abc import Iterator
from typing import Final

from app.db.base import Json
from workers.engine.citations import OPENING, Citations
from workers.engine.links import CONTEXT, Links
from workers.engine.pieces import Annotated, Found, More
from workers.tools.material import Material

_OF_CITATIONS: Final = OPENING
_OF_LINKS: Final = "sS/"
#: Of files, and of web pages, which conversations that were imported have.
_CITATIONS: Final = frozenset(("file_citation", "url_citation"))


class AnnotationScanner:
    """Cuts the text of one message into plain and annotated pieces, however it is cut when it comes.

    Joined, they are the text again, but for the markers of citations: see `citations.Citations`. A marker or link that
    stands for nothing is text.
    """

    def __init__(self, material: Material) -> None:
        self._citations = Citations(material.sources)
        self._links = Links(material.files)
        begins = (_OF_CITATIONS if material.sources else "") + (_OF_LINKS if material.files else "")
        self._begins = re.compile(f"[{begins}]" if begins else r"(?!)")
        self._held = ""
        #: What was last told of the text.
        self._before = ""

    def feed(self, piece: str) -> Iterator[str | Annotated]:
        """What `piece` completes; the beginning of what may be annotated is held back."""
        yield from self._scan(self._held + piece, is_whole=False)

    def end(self) -> Iterator[str | Annotated]:
        """What was held back at the end of the text."""
        yield from self._scan(self._held, is_whole=True)
        self._before = ""

    @property
    def held(self) -> str:
        """What is held back at this moment."""
        return self._held

    def _scan(self, text: str, *, is_whole: bool) -> Iterator[str | Annotated]:
        told = position = 0
        before = self._before
        pieces: list[str | Annotated] = []
        while (begun := self._begins.search(text, position)) is not None:
            position = begun.start()
            found = self._at(text, position, before, is_whole=is_whole)
            if isinstance(found, More):
                break
            if found is None:
                position += 1
                continue
            pieces += [text[told:position], *found.pieces]
            told = position = position + found.length
        else:
            position = len(text)
        pieces.append(text[told:position])
        self._held = text[position:]
        self._before = (before + text[:position])[-CONTEXT:]
        yield from (piece for piece in pieces if piece)

    def _at(self, text: str, position: int, before: str, *, is_whole: bool) -> Found | More | None:
        if text[position] == OPENING:
            return self._citations.at(text, position, is_whole=is_whole)
        context = (before + text[:position])[-CONTEXT:] if position < CONTEXT else text[position - CONTEXT : position]
        return self._links.at(text, position, context, is_whole=is_whole)


def without_markers(part: Json) -> str:
    """The text of a stored part without its citations: their markers stand for what the model no longer sees."""
    value: str = part["value"]
    spans = sorted(
        (annotation["start_index"], annotation["end_index"])
        for annotation in part["annotations"]
        if annotation["type"] in _CITATIONS
    )
    kept, position = [], 0
    for start, end in spans:
        if start >= position:
            kept.append(value[position:start])
            position = end
    return "".join([*kept, value[position:]])
