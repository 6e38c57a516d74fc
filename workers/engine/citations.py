"""The markers by which a model cites: 【turn:index†filename】, or several in one pair of brackets."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from workers.engine.pieces import MORE, Annotated, Found, More
from workers.tools.material import Source, marker

OPENING: Final = "【"
_CLOSING: Final = "】"
#: What has not become a marker by then is no marker.
_LONGEST: Final = 1000

#: What models write between two citations, and within one; also in their wide forms.
_COMMAS: Final = ",;|&\uff0c\uff1b\u3001"
_COMMA: Final = f"[{_COMMAS}]"
_COLON: Final = "[:\uff1a]"
_NUMBERS: Final = rf"(\d{{1,6}})\s*{_COLON}\s*(\d{{1,6}})"
#: What a citation in a list is followed by. A label may hold commas, and times of day.
_NEXT: Final = rf"(?=\d{{1,6}}\s*{_COLON}\s*\d{{1,6}}\s*(?:†|{_COMMA}|$))"
_LABELLED: Final = re.compile(rf"{_NUMBERS}\s*†[^【】]*?(?:\s*{_COMMA}?\s*$|\s*{_COMMA}\s*{_NEXT})")
_BARE: Final = re.compile(rf"{_NUMBERS}(?:\s*{_COMMA}?\s*$|\s*{_COMMA}\s*{_NEXT}|\s+{_NEXT})")
#: The beginning of brackets that may still become a marker.
_BEGUN: Final = re.compile(rf"\s*(?:$|\d{{1,6}}\s*(?:$|{_COLON}))")


class Citations:
    """Finds markers that stand for one of `sources`."""

    def __init__(self, sources: Mapping[tuple[int, int], Source]) -> None:
        self._sources = sources

    def at(self, text: str, position: int, *, is_whole: bool) -> Found | More | None:
        """What the opening bracket at `position` begins: see `pieces.Found`. `is_whole`: no more text will come."""
        limit = position + _LONGEST
        closing = text.find(_CLOSING, position, limit)
        opening = text.find(OPENING, position + 1, limit if closing < 0 else closing)
        if opening >= 0:
            return None
        if closing < 0:
            may_become = not is_whole and len(text) < limit and _BEGUN.match(text, position + 1)
            return MORE if may_become else None
        pieces = list(self._cited(text[position + 1 : closing]))
        if not any(isinstance(piece, Annotated) for piece in pieces):
            return None
        return Found(closing + 1 - position, pieces)

    def _cited(self, content: str) -> Iterator[str | Annotated]:
        """Each citation within brackets in brackets of its own; nothing, if there is anything else in them.

        Only the labels of markers are made anew: models shorten them, and clients find markers by their form. One that
        stands for nothing is text.
        """
        content = content.strip()
        cited: list[str | Annotated] = []
        position = 0
        while position < len(content):
            found = _BARE.match(content, position) or _LABELLED.match(content, position)
            if found is None:
                return
            number, place = int(found[1]), int(found[2])
            source = self._sources.get((number, place))
            if source is None:
                cited.append(OPENING + found[0].strip().rstrip(_COMMAS).rstrip() + _CLOSING)
            else:
                details = {"file_id": source.file_id, "quote": source.quote}
                cited.append(Annotated(marker(number, place, source.filename), "file_citation", details))
            position = found.end()
        yield from cited
