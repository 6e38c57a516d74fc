"""The code of a call to the code interpreter, read from its arguments while they arrive."""

import re
from typing import Final

from app.backends.json_string import JSONStringDecoder
from app.db.base import Json
from workers.tools.arguments import as_object

_CODE_BEGINS: Final = re.compile(r'\s*\{\s*"code"\s*:\s*"')


class CodeDraft:
    """A call of the code interpreter while the model makes it; the code is told as it grows (contract, section 7).

    The arguments are `{"code": "..."}`. A model that gives bare code instead means just that; where the code comes in
    another form of JSON, it is told with the result.
    """

    def __init__(self, call_id: str) -> None:
        self.id = call_id
        self._arguments = ""
        self._told: list[str] = []
        self._is_announced = False
        self._decoder: JSONStringDecoder | None = None
        self._is_bare = False

    def add(self, arguments: str) -> Json | None:
        code = self._code(arguments)
        self._told.append(code)
        if not self._is_announced:
            self._is_announced = True
            told: Json = {"input": code, "outputs": []}
            return {"id": self.id, "type": "code_interpreter", "code_interpreter": told}
        return {"type": "code_interpreter", "code_interpreter": {"input": code}} if code else None

    def _code(self, arguments: str) -> str:
        """What a piece of the arguments adds to the code."""
        if self._decoder is not None:
            return self._decoder.feed(arguments)
        if self._is_bare:
            return arguments
        self._arguments += arguments
        begins = _CODE_BEGINS.match(self._arguments)
        if begins is not None:
            self._decoder = JSONStringDecoder()
            return self._decoder.feed(self._arguments[begins.end() :])
        start = self._arguments.lstrip()
        if start and not start.startswith("{"):
            self._is_bare = True
            return self._arguments
        return ""

    def call(self) -> Json:
        code = "".join(self._told)
        call: Json = {"id": self.id, "type": "code_interpreter", "code_interpreter": {"input": code, "outputs": []}}
        if not code and (untold := _code_of(self._arguments)):
            call["code_interpreter"]["input"] = untold
            call["untold"] = True
        return call


def _code_of(arguments: str) -> str:
    given = (as_object(arguments) or {}).get("code")
    return given if isinstance(given, str) else ""
