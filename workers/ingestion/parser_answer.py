"""What a parser answered, looked at as what a stranger may have written: a bad file may have taken the parser over."""

import json
from itertools import pairwise
from typing import Any, Final, cast, get_args

from workers.ingestion.parsed import MAX_TEXT_BYTES, ErrorCode, ParsedFile, Unparsable

#: The answer's first line: a number for each page.
_MAX_HEADER_BYTES: Final = 16 * 2**20
MAX_BYTES: Final = _MAX_HEADER_BYTES + MAX_TEXT_BYTES
#: Of a sentence for the client.
_MAX_MESSAGE: Final = 500
#: Those of a file that is at fault.
_CODES: Final = frozenset(get_args(ErrorCode)) - {"server_error"}


class NoAnswer(Exception):
    """The bytes are not what a parser answers."""


def understand(answer: bytes) -> ParsedFile:
    """The text and its pages. Raises Unparsable as the parser does; NoAnswer for what is none, however it is made."""
    line, _, text = answer.partition(b"\n")
    try:
        header = json.loads(line)
        if not isinstance(header, dict):
            raise NoAnswer("its beginning is no object")
        return _parsed(header, text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise NoAnswer("its beginning is no JSON, or its text no UTF-8") from error


def _parsed(header: dict[str, Any], text: str) -> ParsedFile:
    if header.keys() == {"code", "message"}:
        raise _fault(header["code"], header["message"])
    if header.keys() != {"page_starts"} or not isinstance(header["page_starts"], list):
        raise NoAnswer("its beginning has other parts")
    starts = header["page_starts"]
    if not all(type(start) is int and 0 <= start <= len(text) for start in starts):
        raise NoAnswer("a page begins outside of the text")
    if any(later < earlier for earlier, later in pairwise(starts)):
        raise NoAnswer("its pages are not in order")
    # Postgres keeps no such text.
    if "\0" in text:
        raise NoAnswer("its text has a character that no text has")
    return ParsedFile(text, starts)


def _fault(code: object, message: object) -> Exception:
    if not isinstance(code, str) or not isinstance(message, str) or code not in _CODES:
        return NoAnswer("it blames the file for what no file is blamed for")
    if len(message) <= _MAX_MESSAGE and message.isprintable():
        return Unparsable(cast("ErrorCode", code), message)
    return NoAnswer("it blames the file in words that no reader has")
