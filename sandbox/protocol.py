"""What an execution tells, event by event: one JSON object a line. The host writes them, workers read them.

    {"type": "started", "fresh": true}                         fresh: the kernel knows nothing of earlier executions
    {"type": "text", "stream": "stdout", "text": "..."}
    {"type": "image", "media_type": "image/png", "data": "<base64>"}
    {"type": "error", "name": "ValueError", "value": "...", "traceback": "..."}
    {"type": "alive"}                                          nothing new, but the host is there
    {"type": "done", "status": "ok", "seconds": 0.2, "message": null}

`done` is always the last. A stream that ends without it was cut off.

Paths of files are text, too, whatever bytes they are made of: see `escaped`.
"""

import base64
import os
import re
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import unquote_to_bytes

import orjson

from app.text import to_json

#: `result` is the value of the last line, `display` what was shown by display(), `note` the host's own words.
Stream = Literal["stdout", "stderr", "result", "display", "note"]

#: How an execution came to its end: `error` is an exception of the code; `died` the end of its kernel.
Status = Literal["ok", "error", "interrupted", "timed_out", "died"]

#: The longest time between two events.
ALIVE_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Started:
    fresh: bool


@dataclass(frozen=True)
class Text:
    stream: Stream
    text: str


@dataclass(frozen=True)
class Image:
    media_type: str
    data: bytes


@dataclass(frozen=True)
class CodeError:
    name: str
    value: str
    traceback: str


@dataclass(frozen=True)
class Alive:
    pass


@dataclass(frozen=True)
class Done:
    status: Status
    seconds: float
    message: str | None = None
    """What the model should be told about the ending, where that is not in the outputs."""


Event = Started | Text | Image | CodeError | Alive | Done

_TYPES: Final[dict[str, type[Event]]] = {
    "started": Started,
    "text": Text,
    "image": Image,
    "error": CodeError,
    "alive": Alive,
    "done": Done,
}
_NAMES: Final = {made: name for name, made in _TYPES.items()}


#: What no text, no line and no address should hold: control characters, ends of lines, bytes that are no UTF-8.
_ODD: Final = re.compile("[%\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def escaped(path: str) -> str:
    """A path as it goes over the wire: what is odd in it, and `%`, is percent-encoded. In an address that comes on top
    of the encoding that HTTP wants."""
    return _ODD.sub(lambda odd: "".join(f"%{byte:02X}" for byte in os.fsencode(odd.group())), path)


def unescaped(text: str) -> str:
    """The path that `escaped` gave `text` for, with bytes that are no UTF-8 as `os.fsdecode` has them."""
    return os.fsdecode(unquote_to_bytes(text))


def to_line(event: Event) -> bytes:
    """The event as a line of JSON with its line feed."""
    fields: dict[str, Any] = {"type": _NAMES[type(event)], **vars(event)}
    if isinstance(event, Image):
        fields["data"] = base64.b64encode(event.data).decode()
    return to_json(fields) + b"\n"


def from_line(line: bytes) -> Event:
    """The event of a line. Raises ValueError for anything else."""
    try:
        fields = orjson.loads(line)
        made = _TYPES[fields.pop("type")]
        if made is Image:
            fields["data"] = base64.b64decode(fields["data"], validate=True)
        return made(**fields)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not an event: {line[:80]!r}") from error
