"""How far a text that arrives in pieces has come as the JSON text of one object."""

import re
from typing import Literal

State = Literal["blank", "open", "whole", "broken"]

_BLANK = re.compile(r"[\s\ufeff]*")
_STRING_STOP = re.compile(r'["\\]')
_LITERAL = re.compile(r"[A-Za-z0-9+\-.]+")


class JSONProgress:
    """Follows the text of an object. `state` is

    - blank: nothing but white space has come;
    - open: what has come is the beginning of an object;
    - whole: the object has come to its end;
    - broken: what has come can never become an object.

    The words of literals are not checked, and a comma before a closing bracket is let pass: only where the object ends
    matters here.
    """

    def __init__(self) -> None:
        self.state: State = "blank"
        self._open: list[str] = []  # the brackets that are not closed
        self._expected = "object"
        self._is_quoted = False
        self._is_escaped = False
        self._in_literal = False

    def copy(self) -> "JSONProgress":
        """Another one that has come as far."""
        other = JSONProgress()
        other.__dict__.update(self.__dict__)
        other._open = self._open.copy()
        return other

    def feed(self, piece: str) -> str:
        """Takes the next piece; gives what follows the object's end ("" as long as there is no end)."""
        position = 0
        while position < len(piece) and self.state in ("blank", "open"):
            position = self._string(piece, position) if self._is_quoted else self._token(piece, position)
        return piece[position:] if self.state == "whole" else ""

    def _string(self, piece: str, position: int) -> int:
        if self._is_escaped:
            self._is_escaped = False
            return position + 1
        stop = _STRING_STOP.search(piece, position)
        if stop is None:
            return len(piece)
        if stop.group() == "\\":
            self._is_escaped = True
        else:
            self._is_quoted = False
            self._expected = "colon" if self._expected == "key's end" else "comma or end"
        return stop.end()

    def _token(self, piece: str, position: int) -> int:
        blank = _BLANK.match(piece, position)
        if blank is not None and blank.end() > position:
            self._in_literal = False
            return blank.end()
        literal = _LITERAL.match(piece, position)
        if literal is not None:
            self._literal()
            return literal.end()
        self._in_literal = False
        self._punctuation(piece[position])
        return position + 1

    def _literal(self) -> None:
        if self._in_literal:
            return
        if self._expected not in ("value", "value or end"):
            self.state = "broken"
        self._in_literal = True
        self._expected = "comma or end"

    def _punctuation(self, character: str) -> None:
        match character, self._expected:
            case "{", "object" | "value" | "value or end":
                self._begin("{", "key or end")
            case "[", "value" | "value or end":
                self._begin("[", "value or end")
            case '"', "key" | "key or end":
                self._is_quoted, self._expected = True, "key's end"
            case '"', "value" | "value or end":
                self._is_quoted = True
            case ":", "colon":
                self._expected = "value"
            case ",", "comma or end":
                self._expected = "key" if self._open[-1] == "{" else "value or end"
            case "}", "key" | "key or end" | "comma or end" if self._open[-1] == "{":
                self._end()
            case "]", "value or end" | "comma or end" if self._open[-1] == "[":
                self._end()
            case _:
                self.state = "broken"

    def _begin(self, bracket: str, expected: str) -> None:
        self.state = "open"
        self._open.append(bracket)
        self._expected = expected

    def _end(self) -> None:
        self._open.pop()
        self._expected = "comma or end"
        if not self._open:
            self.state = "whole"
