"""From a Word document of the years before 2007 to its text ([MS-DOC])."""

import re
import struct
from typing import Final

from workers.ingestion import signatures, text_decoding
from workers.ingestion.compound_files import CompoundFile
from workers.ingestion.parsed import ParsedFile

_WORD_6: Final = 0xA5DC
_FIRST_OF_WORD_97: Final = 0x00C1
_ENCRYPTED: Final = 0x0100
_TABLE_1: Final = 0x0200

#: Where the header of the file has how long its texts are, one after the other in characters: the body, footnotes,
#: headers and footers, macros, comments, endnotes, text boxes, text boxes of headers.
_LENGTHS: Final = range(0x4C, 0x6C, 4)
_PIECES: Final = 0x01A2

#: Instructions of fields; a field without a result is nothing else.
_INSTRUCTION: Final = re.compile("\x13[^\x13\x14\x15]*(?:\x14([^\x13\x14\x15]*))?\x15")
_MAX_FIELDS_IN_FIELDS: Final = 20

_SHOWN: Final = str.maketrans(
    {
        "\r": "\n\n",
        "\x0b": "\n",
        "\x0c": "\n\n",
        "\x0e": "\n",
        "\x1e": "-",
        "\x1f": "",
        "\x13": "",
        "\x14": "",
        "\x15": "",
    }
)


def read(data: bytes) -> ParsedFile:
    """The text of the document. Raises Unparsable where it is protected, and what broken structures raise."""
    files = CompoundFile(data)
    word = files.read("WordDocument")
    ident, version, flags = *struct.unpack_from("<HH", word), struct.unpack_from("<H", word, 10)[0]
    if flags & _ENCRYPTED:
        raise signatures.protected()
    if ident == _WORD_6 or version < _FIRST_OF_WORD_97:
        first, length = struct.unpack_from("<I", word, 0x18)[0], struct.unpack_from("<I", word, 0x34)[0]
        return ParsedFile(_shown(word[first : first + length].decode("cp1252", "replace")))
    text = _text(word, files.read("1Table" if flags & _TABLE_1 else "0Table"))
    return ParsedFile(text_decoding.tidy("\n\n".join(filter(None, _parts(word, text)))))


def _text(word: bytes, table: bytes) -> str:
    """All characters of the file in their order, of which the table of pieces says where they are."""
    start, length = struct.unpack_from("<II", word, _PIECES)
    table = table[start : start + length]
    place = 0
    while table[place] == 1:  # properties of pieces
        place += 3 + struct.unpack_from("<H", table, place + 1)[0]
    size = struct.unpack_from("<I", table, place + 1)[0]
    count = (size - 4) // 12
    ends = struct.unpack_from(f"<{count + 1}I", table, place + 5)
    out = []
    for number in range(count):
        characters = ends[number + 1] - ends[number]
        position = struct.unpack_from("<I", table, place + 5 + 4 * (count + 1) + 8 * number + 2)[0]
        if position & 0x40000000:
            begin = (position & 0x3FFFFFFF) // 2
            out.append(word[begin : begin + characters].decode("cp1252", "replace"))
        else:
            out.append(word[position : position + 2 * characters].decode("utf-16-le", "surrogatepass"))
        if len(out[-1]) < characters and position & 0x40000000:
            raise ValueError("a piece is missing")
    return "".join(out)


def _parts(word: bytes, text: str) -> list[str]:
    lengths = [struct.unpack_from("<I", word, place)[0] for place in _LENGTHS]
    parts, place = [], 0
    for length in lengths:
        parts.append(_shown(text[place : place + length]))
        place += length
    body, footnotes, margins, _, comments, endnotes, boxes, margin_boxes = parts
    margins = "\n\n".join(dict.fromkeys(filter(None, (line.strip() for line in margins.split("\n")))))
    comments = "\n\n".join(f"[Comment: {line.strip()}]" for line in comments.split("\n") if line.strip())
    return [body, footnotes, endnotes, comments, boxes, margins, margin_boxes]


def _shown(text: str) -> str:
    """A text without the instructions of its fields, with cells of tables apart and rows as lines."""
    for _ in range(_MAX_FIELDS_IN_FIELDS):
        text, count = _INSTRUCTION.subn(lambda match: match[1] or "", text)
        if not count:
            break
    text = text.replace("\x07\x07", "\n").replace("\x07", " | ")
    return text_decoding.tidy(text.translate(_SHOWN))
