"""A JSON string decoded while it arrives, in pieces cut anywhere: within an escape, between two surrogates."""

import re

from app.text import REPLACEMENT as _REPLACEMENT

_SPECIAL = re.compile(r'["\\]')
_HEX = re.compile(r"[0-9a-fA-F]*")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ESCAPE_LENGTH = len("\\uXXXX")


class JSONStringDecoder:
    """Takes what follows the opening quote. Lenient: a surrogate without its other half, U+0000 (see app.text), or an
    unknown escape, becomes U+FFFD, and line breaks count as themselves."""

    def __init__(self) -> None:
        #: Whether the closing quote has come; `rest` is what came after it.
        self.ended = False
        self.rest = ""
        self._pending = ""  # an escape that is not complete
        self._high = ""  # the first half of a surrogate pair

    def feed(self, piece: str) -> str:
        """What `piece` adds to the string's value."""
        if self.ended:
            self.rest += piece
            return ""
        text = self._pending + piece
        self._pending = ""
        out: list[str] = []
        position = 0
        while position < len(text):
            special = _SPECIAL.search(text, position)
            end = special.start() if special else len(text)
            if end > position:
                out.append(self._lone_high() + text[position:end])
            if special is None:
                break
            if text[end] == '"':
                out.append(self._lone_high())
                self.ended, self.rest = True, text[end + 1 :]
                break
            length = self._escape(text, end, out)
            if not length:
                self._pending = text[end:]
                break
            position = end + length
        return "".join(out)

    def _escape(self, text: str, start: int, out: list[str]) -> int:
        """Decodes the escape at `start` and gives its length; 0: more of it must come."""
        kind = text[start + 1 : start + 2]
        if not kind:
            return 0
        if kind != "u":
            out.append(self._lone_high() + _ESCAPES.get(kind, _REPLACEMENT))
            return 2
        digits = _HEX.match(text[start + 2 : start + _ESCAPE_LENGTH])
        found = digits.group() if digits else ""
        if len(found) < 4:
            if start + 2 + len(found) == len(text):
                return 0
            out.append(self._lone_high() + _REPLACEMENT)
            return 2 + len(found)
        self._unit(int(found, 16), out)
        return _ESCAPE_LENGTH

    def _unit(self, unit: int, out: list[str]) -> None:
        """Takes in a UTF-16 code unit."""
        if 0xDC00 <= unit < 0xE000 and self._high:
            pair = 0x10000 + ((ord(self._high) - 0xD800) << 10) + (unit - 0xDC00)
            self._high = ""
            out.append(chr(pair))
            return
        out.append(self._lone_high())
        if 0xD800 <= unit < 0xDC00:
            self._high = chr(unit)
        else:
            out.append(_REPLACEMENT if not unit or 0xDC00 <= unit < 0xE000 else chr(unit))

    def _lone_high(self) -> str:
        """What a first half becomes when no second one follows."""
        lone, self._high = (_REPLACEMENT if self._high else ""), ""
        return lone
