"""What a kernel says, turned into events and cut to what one execution may tell.

    outputs = Outputs(text_bytes, image_bytes)
    for event in outputs.of(message): ...

What the code says is not to be relied on: any field may be missing or of another type.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any, Final

from app.text import storable
from sandbox.limits import megabytes
from sandbox.protocol import CodeError, Event, Image, Stream, Text
from sandbox.wire import Message

_SVG: Final = "image/svg+xml"
#: The first that there is, is taken.
_IMAGES: Final = ("image/png", "image/jpeg", "image/webp", "image/gif", _SVG)
#: The codes that colour a terminal.
_ANSI: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
#: Code that goes on for so long after its text was cut is ended: nobody will see what it says.
_PATIENCE: Final = 16
_LONGEST_NAME: Final = 200
#: Objects that say nothing but that they were drawn.
_FIGURE: Final = re.compile(r"<Figure size [^>]*>")


class Outputs:
    """The outputs of one execution."""

    def __init__(self, text_bytes: int, image_bytes: int) -> None:
        self._text_bytes = text_bytes
        self._image_bytes = image_bytes
        self._text_left = text_bytes
        self._images_left = image_bytes
        self._dropped = 0
        self.failed = False
        """Whether the code raised an exception."""

    @property
    def too_much(self) -> bool:
        """Whether so much was cut that the code should be ended."""
        return self._dropped > _PATIENCE * self._text_bytes

    def of(self, message: Message) -> Iterator[Event]:
        """The events that a message comes to; none for most."""
        content = message.content
        match message.type:
            case "stream":
                yield from self._text("stderr" if content.get("name") == "stderr" else "stdout", content.get("text"))
            case "execute_result":
                yield from self._data("result", content.get("data"))
            case "display_data" | "update_display_data":
                yield from self._data("display", content.get("data"))
            case "error":
                yield from self._error(content)

    def _data(self, stream: Stream, data: Any) -> Iterator[Event]:
        if not isinstance(data, dict):
            return
        for media_type in _IMAGES:
            if isinstance(data.get(media_type), str):
                yield from self._image(media_type, data[media_type])
                return
        text = data.get("text/plain")
        if isinstance(text, str) and not _FIGURE.fullmatch(text):
            yield from self._text(stream, text + "\n")

    def _text(self, stream: Stream, text: Any) -> Iterator[Event]:
        if not isinstance(text, str) or not text:
            return
        encoded = storable(text).encode()
        kept = encoded[: self._text_left]
        was_open = self._text_left > 0
        self._text_left -= len(kept)
        self._dropped += len(encoded) - len(kept)
        if kept:
            # A character that was cut in two is left out.
            yield Text(stream, kept.decode(errors="ignore"))
        if was_open and len(kept) < len(encoded):
            self._text_left = 0
            yield Text("note", f"\n[The output was cut after {self._text_bytes} bytes.]\n")

    def _image(self, media_type: str, data: str) -> Iterator[Event]:
        is_text = media_type == _SVG
        size = len(data) if is_text else len(data) * 3 // 4
        if size > self._images_left:
            self._dropped += size
            if self._images_left >= 0:
                self._images_left = -1
                yield Text("note", f"\n[Images beyond {megabytes(self._image_bytes)} were left out.]\n")
            return
        try:
            image = data.encode() if is_text else base64.b64decode(data.encode(), validate=False)
        except (binascii.Error, ValueError):
            return
        self._images_left -= len(image)
        yield Image(media_type, image)

    def _error(self, content: dict[str, Any]) -> Iterator[Event]:
        self.failed = True
        lines = content.get("traceback")
        traceback = storable("\n".join(map(str, lines))) if isinstance(lines, list) else ""
        name, value = storable(str(content.get("ename", "")))[:_LONGEST_NAME], storable(str(content.get("evalue", "")))
        # An error is told even where nothing else is any more, and it too may be endless.
        most = max(self._text_left, 8192)
        yield CodeError(name, _cut(_ANSI.sub("", value), most), _cut(_ANSI.sub("", traceback), most))


def _cut(text: str, most: int) -> str:
    """The text, or its beginning and end where it is longer than `most`: a traceback says at its end what happened."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n[... {len(text) - most} characters were cut ...]\n{text[-half:]}"
