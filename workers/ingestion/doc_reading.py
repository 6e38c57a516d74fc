"""From a Word document of the years before 2007 to its text ([MS-DOC])."""

import re
import struct
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final

from workers.ingestion import signatures, text_decoding
from workers.ingestion.compound_files import CompoundFile
from workers.ingestion.parsed import ParsedFile

_WORD_97: Final = 0xA5EC
_FIRST_OF_WORD_97: Final = 0x00C1
_ENCRYPTED: Final = 0x0100
_TABLE_1: Final = 0x0200

#: Before Word 97: whether there is a table of pieces, and whether characters have two bytes.
_IN_PIECES: Final = 0x0004
_WIDE: Final = 0x1000
_OF_A_MAC: Final = 0x0100

#: Where the header of the file has how long its texts are, one after the other in characters: the body, footnotes,
#: headers and footers, macros, comments, endnotes, text boxes, text boxes of headers; and where the table of pieces is.
_LENGTHS: Final = range(0x4C, 0x6C, 4)
_PIECES: Final = 0x01A2
_LENGTHS_OF_WORD_6: Final = range(0x34, 0x54, 4)
_PIECES_OF_WORD_6: Final = 0x0160

#: What Word 6 wrote on Windows of different countries.
_CODE_PAGES: Final = (
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp874"),
    *("cp932", "gb18030", "big5hkscs", "cp949"),
)

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
    if ident != _WORD_97 or version < _FIRST_OF_WORD_97:
        return ParsedFile(_of_word_6(word, flags))
    text = _text(word, files.read("1Table" if flags & _TABLE_1 else "0Table"))
    places = _places(word, _LENGTHS)
    return ParsedFile(_together(text[2 * start : 2 * end].decode("utf-16-le", "replace") for start, end in places))


def _of_word_6(word: bytes, flags: int) -> str:
    """The text of a document of Word 6 or 95. Its characters are bytes, in the encoding of where it was written."""
    width = 2 if flags & _WIDE else 1
    places = [(width * start, width * end) for start, end in _places(word, _LENGTHS_OF_WORD_6)]
    if flags & _IN_PIECES:
        start, length = struct.unpack_from("<II", word, _PIECES_OF_WORD_6)
        pieces = _pieces(word[start : start + length])
        text = b"".join(word[place : place + width * count] for place, count in pieces)
    else:
        first = struct.unpack_from("<I", word, 0x18)[0]
        text = word[first : first + places[-1][1]]
    if len(text) < places[-1][1]:
        raise ValueError("a piece is missing")
    if width == 2:
        encoding = "utf-16-le"
    elif struct.unpack_from("<H", word, 0x14)[0] == _OF_A_MAC:
        encoding = "mac_roman"
    else:
        encoding = text_decoding.likeliest(text.replace(b"\r", b"\n"), _CODE_PAGES)
    return _together(text[start:end].decode(encoding, "replace") for start, end in places)


def _places(word: bytes, lengths: Iterable[int]) -> list[tuple[int, int]]:
    """Where each of the file's texts begins and ends, in characters."""
    ends = list(accumulate(struct.unpack_from("<I", word, place)[0] for place in lengths))
    return list(zip([0, *ends], ends, strict=False))


def _pieces(table: bytes) -> Iterator[tuple[int, int]]:
    """Of each piece of the text: where it is, and how many characters it has."""
    place = 0
    while table[place] == 1:  # properties of pieces
        place += 3 + struct.unpack_from("<H", table, place + 1)[0]
    size = struct.unpack_from("<I", table, place + 1)[0]
    count = (size - 4) // 12
    ends = struct.unpack_from(f"<{count + 1}I", table, place + 5)
    for number in range(count):
        position = struct.unpack_from("<I", table, place + 5 + 4 * (count + 1) + 8 * number + 2)[0]
        yield position, max(0, ends[number + 1] - ends[number])


def _text(word: bytes, table: bytes) -> bytes:
    """All texts of the file in their order, in UTF-16; the table of pieces says where they are."""
    start, length = struct.unpack_from("<II", word, _PIECES)
    out = []
    for position, characters in _pieces(table[start : start + length]):
        if position & 0x40000000:
            begin = (position & 0x3FFFFFFF) // 2
            out.append(word[begin : begin + characters].decode("cp1252", "replace").encode("utf-16-le"))
        else:
            out.append(word[position : position + 2 * characters])
        if len(out[-1]) < 2 * characters:
            raise ValueError("a piece is missing")
    return b"".join(out)


def _together(texts: Iterable[str]) -> str:
    body, footnotes, margins, _, comments, endnotes, boxes, margin_boxes = map(_shown, texts)
    margins = "\n\n".join(dict.fromkeys(filter(None, (line.strip() for line in margins.split("\n")))))
    comments = "\n\n".join(f"[Comment: {line.strip()}]" for line in comments.split("\n") if line.strip())
    parts = [body, footnotes, endnotes, comments, boxes, margins, margin_boxes]
    return text_decoding.tidy("\n\n".join(filter(None, parts)))


def _shown(text: str) -> str:
    """A text without the instructions of its fields, with cells of tables apart and rows as lines."""
    for _ in range(_MAX_FIELDS_IN_FIELDS):
        text, count = _INSTRUCTION.subn(lambda match: match[1] or "", text)
        if not count:
            break
    text = text.replace("\x07\x07", "\n").replace("\x07", " | ")
    return text_decoding.tidy(text.translate(_SHOWN))
