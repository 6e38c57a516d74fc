"""`multipart/form-data` (RFC 7578), read while it arrives: what holds a file is never in memory as a whole."""

import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Generic, TypeVar
from urllib.parse import unquote_to_bytes

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.errors import InvalidRequest

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

Taken = TypeVar("Taken")
Take = Callable[[AsyncIterator[bytes]], Awaitable[Taken]]

_MAX_PARTS: Final = 16
_MAX_FIELD_BYTES: Final = 4096
_NAME_FIELD: Final = "filename"
_SHOWN_CHARS: Final = 100


@dataclass(frozen=True, slots=True)
class Form(Generic[Taken]):
    """A form that has been read: its fields, the name of its file, and what became of the file's bytes."""

    fields: dict[str, str]
    filename: str
    file: Taken


async def read_form(
    request: Request,
    file_field: str,
    take: Take[Taken],
    *,
    fields: Collection[str] = (),
    check: Callable[[dict[str, str]], None] = lambda _: None,
) -> Form[Taken]:
    """Reads a form with one file, which `take` is given as it comes, and with any of `fields`, in any order.

    Where `filename` is one of `fields`, it names the file, which then needs no name in its own part.

    `check` is asked when the file begins, with the fields so far: it may refuse the request before the file is read.
    Raises InvalidRequest for what is no such form; what `take` made of a file is then the caller's to undo.
    """
    found: dict[str, str] = {}
    taken: list[tuple[str | None, Taken]] = []
    async for part in _parts(request):
        name = part.name
        if name != file_field and name not in fields:
            raise InvalidRequest(f"Unknown parameter: '{_cut(name)}'.", param=_cut(name), code="unknown_parameter")
        if name in found or (name == file_field and taken):
            raise InvalidRequest(f"Invalid '{name}': given more than once.", param=name, code="invalid_value")
        if name == file_field:
            check(found)
            filename = part.filename if _NAME_FIELD in fields else _required_filename(part)
            taken.append((filename, await take(part.data)))
        else:
            found[name] = await _text(part)
    if not taken:
        message = f"Missing required parameter: '{file_field}'."
        raise InvalidRequest(message, param=file_field, code="missing_required_parameter")
    filename, file = taken[0]
    given = found.pop(_NAME_FIELD, filename)
    if given is None:
        raise _no_file(file_field)
    return Form(found, _without_nul(file_field, given), file)


def _required_filename(part: "_Part") -> str:
    if part.filename is None:
        raise _no_file(part.name)
    return part.filename


def _no_file(name: str) -> InvalidRequest:
    message = f"Invalid type for '{name}': expected a file, but got a string instead."
    return InvalidRequest(message, param=name, code="invalid_type")


def _without_nul(name: str, value: str) -> str:
    if "\0" in value:
        message = f"Invalid '{name}': the character U+0000 cannot be stored."
        raise InvalidRequest(message, param=name, code="invalid_value")
    return value


async def _text(part: "_Part") -> str:
    value = b""
    async for data in part.data:
        value += data
        if len(value) > _MAX_FIELD_BYTES:
            message = f"Invalid '{part.name}': longer than {_MAX_FIELD_BYTES} bytes."
            raise InvalidRequest(message, param=part.name, code="string_above_max_length")
    try:
        return _without_nul(part.name, value.decode())
    except UnicodeDecodeError:
        message = f"Invalid '{part.name}': not encoded in UTF-8."
        raise InvalidRequest(message, param=part.name, code="invalid_value") from None


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    filename: str | None
    data: AsyncIterator[bytes]


class _Is(Enum):
    PART = auto()
    DATA = auto()
    PART_END = auto()
    END = auto()


@dataclass(slots=True)
class _Events:
    """What the parser has found in the bytes so far, of which the disposition of a part is all that is kept."""

    queue: deque[tuple[_Is, bytes]] = field(default_factory=deque)
    _name: bytes = b""
    _value: bytes = b""
    _disposition: bytes = b""

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": lambda: self.queue.append((_Is.PART, self._disposition)),
            "on_part_data": lambda data, start, end: self.queue.append((_Is.DATA, data[start:end])),
            "on_part_end": self._part_end,
            "on_end": lambda: self.queue.append((_Is.END, b"")),
        }

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value
        self._name = self._value = b""

    def _part_end(self) -> None:
        self.queue.append((_Is.PART_END, b""))
        self._disposition = b""


async def _parts(request: Request) -> AsyncIterator[_Part]:
    """The parts of a body. The data of one must be read, or left, before the next is asked for."""
    events = _events(request.stream(), _boundary(request))
    count = 0
    async for kind, disposition in events:
        if kind is _Is.PART:
            count += 1
            if count > _MAX_PARTS:
                raise _malformed(f"it has more than {_MAX_PARTS} parts")
            name, filename = _disposition(disposition)
            yield _Part(name, filename, _data(events))
        elif kind is _Is.END:
            return
    raise _malformed("it ends before its closing boundary")


async def _data(events: AsyncIterator[tuple[_Is, bytes]]) -> AsyncIterator[bytes]:
    async for kind, data in events:
        if kind is not _Is.DATA:
            return
        yield data
    raise _malformed("it ends before its closing boundary")


async def _events(body: AsyncIterator[bytes], boundary: bytes) -> AsyncIterator[tuple[_Is, bytes]]:
    events = _Events()
    try:
        parser = MultipartParser(boundary, events.callbacks())
        async for chunk in body:
            parser.write(chunk)
            while events.queue:
                yield events.queue.popleft()
    except FormParserError as error:
        raise _malformed(str(error)) from None


def _boundary(request: Request) -> bytes:
    given = request.headers.get("content-type", "")
    content_type, options = parse_options_header(given)
    if content_type != b"multipart/form-data":
        # OpenAI's words, as far as its users have quoted them.
        raise InvalidRequest(f"Invalid Content-Type header ({_cut(given)}), expected multipart/form-data.")
    boundary = options.get(b"boundary")
    if not boundary:
        raise _malformed("its content type names no boundary")
    return boundary


#: A parameter of a header, its value in quotes or without.
_PARAMETER: Final = re.compile(r';\s*([\w!#$%&+^`|~.*-]+)\s*=\s*("(?:\\"|[^"])*"|[^;]*)')


def _disposition(header: bytes) -> tuple[str, str | None]:
    """The name of a part and that of its file. Raises InvalidRequest if it has none."""
    found = {name.lower(): value.strip() for name, value in _PARAMETER.findall(_decoded(header))}
    if "name" not in found:
        raise _malformed("one of its parts has no name")
    extended = _extended(found.get("filename*"))
    plain = _unquoted(found["filename"]) if "filename" in found else None
    return _unquoted(found["name"]), plain if extended is None else extended


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _unquoted(value: str) -> str:
    """A quoted value as it was meant: browsers and the SDKs write `%22` for a quote, others `\\"`.

    Other backslashes and percent signs stand for themselves (WHATWG HTML, multipart/form-data encoding algorithm).
    """
    if not value.startswith('"'):
        return value
    value = value[1:-1].replace('\\"', '"')
    return re.sub("%22|%0D|%0A", lambda escape: unquote_to_bytes(escape.group()).decode(), value)


def _extended(value: str | None) -> str | None:
    """The value of a parameter in the way of RFC 5987 (`UTF-8''B%C3%A5rd.txt`); None if it is none."""
    charset, *rest = (value or "").strip('"').split("'", 2)
    if len(rest) != 2 or charset.lower() not in {"utf-8", "iso-8859-1"}:
        return None
    try:
        return unquote_to_bytes(rest[1]).decode(charset)
    except UnicodeDecodeError:
        return None


def _malformed(why: str) -> InvalidRequest:
    return InvalidRequest(f"The body of the request could not be read as multipart/form-data: {why}.")


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}..."
