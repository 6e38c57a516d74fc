"""JSON as model servers and models write it: as much of it as can be understood is read.

What is wrong in one place must not cost the rest: bytes that are no UTF-8, one half of a surrogate pair, control
characters in strings, `NaN` and `Infinity`, numbers too large for a double.
"""

import json
import math
import re
from typing import Any, Final

import orjson

from app.text import storable

_BOM: Final = "\ufeff"
_PAIR: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")
#: Bytes that are no UTF-8 by themselves, as `surrogateescape` has them.
_BYTES: Final = re.compile("[\udc80-\udcff]+")
#: At the end of a piece of text: half of a surrogate pair, or the first bytes of a character in UTF-8.
_BEGUN: Final = re.compile(
    "(?:[\ud800-\udbff]|[\udcc2-\udcdf]|[\udce0-\udcef][\udc80-\udcbf]?|[\udcf0-\udcf4][\udc80-\udcbf]{0,2})\\Z"
)
_LONGEST_BEGUN: Final = 3


def loads(payload: bytes | str) -> Any:
    """Returns the JSON value of `payload`. Raises ValueError if it is none.

    Strings may hold surrogates: halves of pairs, and bytes that are no UTF-8 as `surrogateescape` has them. Pieces
    of a text are put together by `TextJoiner`; all else is made whole by `app.text`. `NaN` and its like are None.
    """
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        pass  # nearly all JSON can be read by the fast way
    text = payload if isinstance(payload, str) else payload.decode("utf-8", "surrogateescape")
    try:
        return json.loads(
            text.removeprefix(_BOM),
            strict=False,
            parse_int=_int,
            parse_float=_float,
            parse_constant=lambda _: None,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _int(digits: str) -> int | float | None:
    """As orjson has it: of more than 64 bits, a float."""
    return int(digits) if len(digits) < 19 else _float(digits)


def _float(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


class TextJoiner:
    """Puts a text together whose pieces are cut anywhere: between two surrogates, or within a character's bytes."""

    def __init__(self) -> None:
        self._begun = ""

    def feed(self, piece: str) -> str:
        """Returns what `piece` adds to the text; the beginning of a character is held back for its other half."""
        if not self._begun and _is_whole(piece):
            return storable(piece)
        text = _PAIR.sub(_joined, self._begun + piece)
        begun = _BEGUN.search(text, max(0, len(text) - _LONGEST_BEGUN))
        end = len(text) if begun is None else begun.start()
        self._begun = text[end:]
        return storable(_BYTES.sub(_decoded, text[:end]))

    def end(self) -> str:
        """Returns what the end of the text makes of a character that has only begun."""
        begun, self._begun = self._begun, ""
        return storable(_BYTES.sub(_decoded, begun))


def _is_whole(text: str) -> bool:
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _joined(pair: re.Match[str]) -> str:
    return storable(pair.group())


def _decoded(found: re.Match[str]) -> str:
    return found.group().encode("utf-8", "surrogateescape").decode("utf-8", "replace")
