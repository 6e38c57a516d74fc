"""What a workbook of Excel 97 to 2003 has beside its cells ([MS-XLS]): text boxes, headers and footers, comments, and
the titles of charts; and its records without what the library for cells breaks on."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from workers.ingestion import sheets

_BOF, _EOF, _BOUNDSHEET, _CONTINUE, _FILEPASS = 0x809, 0x0A, 0x85, 0x3C, 0x2F
_HEADER, _FOOTER, _NOTE, _OBJECT, _TEXT, _CHART_TEXT = 0x14, 0x15, 0x1C, 0x5D, 0x1B6, 0x100D
_EXCEL_97: Final = 0x0600
_IS_NOTE: Final = 0x19

#: Names that formulas use, and other workbooks: no cell shows them.
_NAMES: Final = frozenset({0x17, 0x18, 0x23, 0x1AE, 0x218, 0x223})
_DRAWN: Final = frozenset({_NOTE, _OBJECT, _TEXT})
#: No record has it, so that it is passed over.
_NOTHING: Final = 0xFFFF


@dataclass
class Beside:
    """What a sheet has beside its cells: headers, footers and texts of boxes and charts; comments by row and column."""

    texts: dict[str, None] = field(default_factory=dict)
    notes: list[tuple[int, int, str]] = field(default_factory=list)


def is_read(stream: bytes) -> bool:
    """Whether the records are of Excel 97 or later, and not encrypted."""
    records = list(_records(stream, limit=3))
    return bool(records) and _version(records[0]) == _EXCEL_97 and all(kind != _FILEPASS for kind, _, _ in records)


def cells_alone(stream: bytes, *, drawn: bool) -> bytes:
    """The records with others in the places of names, and of what is `drawn`, as sheets are found by their places."""
    out = bytearray(stream)
    unwanted = _NAMES | _DRAWN if drawn else _NAMES
    before = 0
    for kind, place, _ in _records(stream):
        before = before if kind == _CONTINUE else kind
        if before in unwanted:
            struct.pack_into("<H", out, place, _NOTHING)
    return bytes(out)


def beside(stream: bytes) -> dict[str, Beside]:
    """What each sheet has beside its cells, by its name; also sheets that are one chart."""
    names = {
        struct.unpack_from("<I", data)[0]: _string(data, 6, "B")
        for kind, _, data in _records(stream)
        if kind == _BOUNDSHEET and len(data) > 8
    }
    found: dict[str, Beside] = {name: Beside() for name in names.values()}
    depth, reader = 0, _Sheet(Beside())
    for kind, place, data in _records(stream):
        if kind == _BOF:
            if depth == 0:
                reader = _Sheet(found[names[place]] if place in names else Beside())
            depth += 1
        elif kind == _EOF:
            depth = max(0, depth - 1)
            if depth == 0:
                reader.end()
        else:
            reader.read(kind, data)
    return found


class _Sheet:
    """Takes the records of one sheet."""

    def __init__(self, into: Beside) -> None:
        self._into = into
        self._object, self._type = 0, 0
        self._left = 0  # characters of a text that are still to come
        self._text = ""
        self._texts_of_notes: dict[int, str] = {}
        self._notes: list[tuple[int, int, int]] = []

    def read(self, kind: int, data: bytes) -> None:
        """Takes the next record."""
        if kind != _CONTINUE and self._left:  # a text that is shorter than it says
            self._end_text()
        if kind == _OBJECT and len(data) >= 8:
            self._type, self._object = struct.unpack_from("<HH", data, 4)
        elif kind == _TEXT and len(data) >= 12:
            self._text, self._left = "", struct.unpack_from("<H", data, 10)[0]
        elif kind == _CONTINUE and self._left:
            self._go_on(data)
        elif kind == _NOTE and len(data) >= 8:
            row, column, _, number = struct.unpack_from("<4H", data)
            self._notes.append((row, column, number))
        elif kind in {_HEADER, _FOOTER} and len(data) > 3:
            self._add(_string(data, 0, "H"), margin=True)
        elif kind == _CHART_TEXT and len(data) > 4:
            self._add(_string(data, 2, "B"))

    def end(self) -> None:
        """Takes the sheet's end. Comments come after the texts of the boxes that they are shown in."""
        if self._left:
            self._end_text()
        self._into.notes += [(row, column, self._texts_of_notes.get(number, "")) for row, column, number in self._notes]

    def _go_on(self, data: bytes) -> None:
        units = (len(data) - 1) // 2 if data[:1] and data[0] & 1 else len(data) - 1
        self._text += _characters(data, 0, self._left)
        self._left = max(0, self._left - units) if units > 0 else 0
        if not self._left:
            self._end_text()

    def _end_text(self) -> None:
        self._left = 0
        if self._type == _IS_NOTE:
            self._texts_of_notes[self._object] = self._text
        else:
            self._add(self._text)

    def _add(self, text: str, *, margin: bool = False) -> None:
        text = sheets.margin(text) if margin else text.replace("\r", "\n").strip()
        if text:
            self._into.texts[text] = None


def _records(stream: bytes, limit: int | None = None) -> Iterator[tuple[int, int, bytes]]:
    """Each record's kind, place and data, as far as they go."""
    place = 0
    while place + 4 <= len(stream) and limit != 0:
        kind, length = struct.unpack_from("<HH", stream, place)
        yield kind, place, stream[place + 4 : place + 4 + length]
        place += 4 + length
        limit = None if limit is None else limit - 1


def _version(record: tuple[int, int, bytes]) -> int:
    kind, _, data = record
    return int(struct.unpack_from("<H", data)[0]) if kind == _BOF and len(data) >= 2 else 0


def _string(data: bytes, place: int, count: str) -> str:
    """A text after its length, which is a number of one byte ("B") or two ("H")."""
    length = struct.unpack_from(f"<{count}", data, place)[0]
    return _characters(data, place + struct.calcsize(count), length)


def _characters(data: bytes, place: int, count: int) -> str:
    """`count` characters, or as many as there are; before them it says whether they have two bytes."""
    if place >= len(data):
        return ""
    if data[place] & 1:
        return data[place + 1 : place + 1 + 2 * count].decode("utf-16-le", "replace")
    return data[place + 1 : place + 1 + count].decode("latin-1")
