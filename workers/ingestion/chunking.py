"""A text in chunks: pieces of some hundred tokens that overlap, each of which is found by itself."""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app import tokens
from workers.ingestion.parsed import ParsedFile

#: The part of a chunk, at its end, in which a good place to end is looked for.
_LOOSE: Final = 0.15

# Good places to end, the best first: a paragraph, a sentence, a line, a word.
_ENDINGS: Final = (
    re.compile(r"\n[^\S\n]*\n\s*"),
    re.compile(r"[.!?\u2026][\"'\u201d\u2019\u00bb)\]]*(?=\s)|[\u3002\uff01\uff1f][\u300d\u300f\u201d\uff09]*"),
    re.compile(r"\n"),
    re.compile(r"\S(?=\s)"),
)

_JOINER: Final = "\u200d"
_SKIN_TONES: Final = ("\U0001f3fb", "\U0001f3ff")

#: No character that is read as one has more parts than this; rubbish may.
_MAX_PARTS: Final = 12

_WORD: Final = re.compile(r"\S")


@dataclass(frozen=True)
class Piece:
    """A chunk. `start` is its offset in the text, in characters; `page` counts from 1, where there are pages."""

    text: str
    start: int
    page: int | None


def chunk(parsed: ParsedFile, max_tokens: int, overlap_tokens: int) -> Iterator[Piece]:
    """The text of `parsed` in pieces of at most `max_tokens` tokens (100 or more), one after the other.

    Together they cover the text, and none changes a character. Each begins with the last `overlap_tokens` tokens (at
    most half of `max_tokens`) of the one before, as near as whole characters allow. A piece ends with a paragraph or a
    sentence where one ends near its limit. Takes time in proportion to the text, and memory for one piece.
    """
    text = parsed.text
    start = end = 0
    while end < len(text):
        limit = tokens.beginning(text, max_tokens, start)
        # A piece must go on from the one before, or there would be no end.
        end = max(_good_end(text, start, limit, max_tokens), min(end + 1, limit))
        piece = text[start:end]
        yield Piece(piece, start, _page(parsed.page_starts, text, start))
        place = start + tokens.ending(piece, overlap_tokens)
        # Where nothing is to be repeated, nothing is, wherever the piece had to end.
        start = end if place == end else max(start + 1, _whole(text, place))


def _good_end(text: str, start: int, limit: int, max_tokens: int) -> int:
    """The best place to end a piece that may go as far as `limit`."""
    if limit == len(text):
        return limit
    earliest = max(start + 1, limit - int((limit - start) * _LOOSE))
    for ending in _ENDINGS:
        places = [match.end() for match in ending.finditer(text, earliest, limit)]
        if places and tokens.count(text[start : places[-1]]) <= max_tokens:
            return places[-1]
    place = _whole(text, limit)
    return place if place > earliest and tokens.count(text[start:place]) <= max_tokens else limit


def _whole(text: str, place: int) -> int:
    """`place`, or a little before it, where it would cut what is read as one character (an accent, a joined emoji)."""
    for candidate in range(place, max(0, place - _MAX_PARTS), -1):
        if candidate >= len(text) or not _joined(text[candidate - 1], text[candidate]):
            return candidate
    return place


def _joined(before: str, after: str) -> bool:
    return (
        unicodedata.category(after).startswith("M")
        or _JOINER in {before, after}
        or _SKIN_TONES[0] <= after <= _SKIN_TONES[1]
        or before + after == "\r\n"
    )


def _page(page_starts: list[int], text: str, start: int) -> int | None:
    """The page that the first word of a piece is on."""
    if not page_starts:
        return None
    word = _WORD.search(text, start)
    return max(1, bisect_right(page_starts, word.start() if word else start))
