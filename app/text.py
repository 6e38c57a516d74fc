"""Text as Postgres and JSON in UTF-8 can hold it: every character but U+0000 and surrogates.

Python's strings hold these too: code prints them, models write them as JSON escapes, file names are made of any bytes.
Each becomes U+FFFD (REPLACEMENT CHARACTER), whatever way it came; a surrogate pair becomes the character it stands for.
Requests of clients are not mended but refused: see app.json_body.
"""

import re
from typing import Any, Final

import orjson

REPLACEMENT: Final = "\ufffd"

#: An escape of a JSON string, read from the left: `\\u0000` is an escaped backslash and text, not NUL.
_ESCAPE: Final = re.compile(rb"\\(?:u0000|.)", re.DOTALL)
_NUL_ESCAPE: Final = rb"\u0000"


def is_storable(text: str) -> bool:
    """Returns whether `text` can be stored as it is. For nearly all text this is one search through its memory."""
    if "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def storable(text: str) -> str:
    """Returns `text` with surrogate pairs joined, and U+FFFD for each character that cannot be stored."""
    if is_storable(text):
        return text
    mended = text.replace("\0", REPLACEMENT)
    return mended.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def storable_value(value: Any) -> Any:
    """Returns a JSON value with all of its strings and keys `storable`."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list | tuple):
        return [storable_value(item) for item in value]
    if isinstance(value, dict):
        return {storable_value(key): storable_value(item) for key, item in value.items()}
    return value


def to_json(value: Any) -> bytes:
    """Returns the JSON of `value`, `storable` throughout. Raises TypeError if it is no JSON value.

    Text that needs no mending, which is nearly all, costs one search more than `orjson.dumps`.
    """
    try:
        encoded = orjson.dumps(value)
    except TypeError:
        encoded = orjson.dumps(storable_value(value))
    if _NUL_ESCAPE in encoded:
        encoded = _ESCAPE.sub(_without_nul, encoded)
    return encoded


def _without_nul(escape: re.Match[bytes]) -> bytes:
    found = escape.group()
    return REPLACEMENT.encode() if found == _NUL_ESCAPE else found
