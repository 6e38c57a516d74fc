"""From an RTF document to its text (Rich Text Format 1.9.1)."""

import codecs
import re
from dataclasses import dataclass, field, replace
from typing import Final

from workers.ingestion import text_decoding
from workers.ingestion.parsed import ParsedFile

_TOKEN: Final = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})?[ ]?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|[\r\n]+|([^\\{}\r\n]+)", re.S
)

#: Groups that say nothing to a reader.
_SKIPPED: Final = frozenset(
    {
        *("fonttbl", "colortbl", "stylesheet", "info", "pict", "objdata", "fldinst", "listtable", "listoverridetable"),
        *(
            "generator",
            "themedata",
            "colorschememapping",
            "datastore",
            "latentstyles",
            "rsidtbl",
            "xmlnstbl",
            "filetbl",
        ),
        *(
            "revtbl",
            "atnid",
            "atnauthor",
            "atndate",
            "atntime",
            "atnref",
            "atrfstart",
            "atrfend",
            "bkmkstart",
            "bkmkend",
        ),
        *(
            "xe",
            "tc",
            "rxe",
            "private",
            "nonshppict",
            "sn",
            "sv",
            "shprslt",
            "datafield",
            "formfield",
            "pnseclvl",
            "mmathPr",
        ),
        *(
            "footnotesep",
            "ftnsep",
            "ftnsepc",
            "ftncn",
            "aftnsep",
            "aftnsepc",
            "aftncn",
            "template",
            "userprops",
            "picprop",
        ),
        *("pgptbl", "wgrffmtfilter", "protusertbl", "fchars", "lchars", "blipuid", "listpicture", "oldcprops", "upr"),
    }
)

#: Of optional destinations, which are passed over otherwise, those that hold text.
_READ: Final = frozenset(
    {"annotation", "shptxt", "ud", "fldrslt", "shpinst", "shp", "footnote", "listtext", "pntext", "do"}
)

_TEXTS: Final = {
    **dict.fromkeys(("line", "column", "softline"), "\n"),
    **dict.fromkeys(("par", "page", "sect"), "\n\n"),
    "tab": "\t",
    "emdash": "—",
    "endash": "–",
    "lquote": "‘",
    "rquote": "’",
    "ldblquote": "“",
    "rdblquote": "”",
    "bullet": "•",
    "emspace": " ",
    "enspace": " ",
    "qmspace": " ",
    "nestcell": " ",
    "nestrow": "\n",
}
_SYMBOLS: Final = {
    b"~": " ",
    b"_": "-",
    b"-": "",
    b"\\": "\\",
    b"{": "{",
    b"}": "}",
    b"\n": "\n",
    b"\r": "\n",
    b"\t": "\t",
}

#: Code pages of fonts by their character sets.
_CHARSETS: Final = {
    77: "mac_roman",
    128: "cp932",
    129: "cp949",
    134: "gb18030",
    136: "big5hkscs",
    161: "cp1253",
    162: "cp1254",
    163: "cp1258",
    177: "cp1255",
    178: "cp1256",
    186: "cp1257",
    204: "cp1251",
    222: "cp874",
    238: "cp1250",
    255: "cp437",
}

_ENCODINGS: Final = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850"}

#: What is set apart from the text around it, and how it begins.
_APART: Final = {
    "footnote": "[Note: ",
    "annotation": "[Comment: ",
    "header": "",
    "headerl": "",
    "headerr": "",
    "headerf": "",
}
_MARGINS: Final = frozenset(
    {*(f"header{kind}" for kind in ("", "l", "r", "f")), *(f"footer{kind}" for kind in ("", "l", "r", "f"))}
)

_MAX_DEPTH: Final = 5000


@dataclass
class _State:
    encoding: str | None = None  # of the font; None: the document's
    skipped: bool = False
    hidden: bool = False
    unicode_skip: int = 1
    font_of: int | None = None  # in the table of fonts: the one that is described
    opened: str = ""  # what the group set apart


@dataclass
class _Reader:
    encoding: str = "cp1252"
    fonts: dict[int, str] = field(default_factory=dict)
    state: _State = field(default_factory=_State)
    stack: list[_State] = field(default_factory=list)
    out: list[str] = field(default_factory=list)
    kept: list[tuple[str, list[str]]] = field(default_factory=list)  # texts around those that are set apart
    after: list[str] = field(default_factory=list)  # the paragraph: its notes and comments
    margins: dict[str, list[str]] = field(default_factory=lambda: {"header": [], "footer": []})
    cells: list[str] = field(default_factory=list)
    cell_start: int = 0
    in_table: bool = False
    bytes_: bytearray = field(default_factory=bytearray)
    to_skip: int = 0
    starred: bool = False

    def write(self, text: str) -> None:
        self.flush()
        if not self.state.skipped and not self.state.hidden:
            self.out.append(text)

    def flush(self) -> None:
        """Characters of several bytes may come in several tokens."""
        if self.bytes_:
            data, self.bytes_ = bytes(self.bytes_), bytearray()
            if not self.state.skipped and not self.state.hidden:
                self.out.append(data.decode(self.state.encoding or self.encoding, "replace"))

    def read(self, data: bytes) -> str:
        place = 0
        while match := _TOKEN.search(data, place):
            place = match.end()
            word, number, hexadecimal, symbol, brace, plain = match.groups()
            if word is not None:
                place += self.word(word.decode("ascii"), None if number is None else int(number))
            elif brace is not None:
                self.open() if brace == b"{" else self.close()
            elif symbol == b"*":
                self.starred = True
            elif symbol is not None:
                self.to_skip = max(0, self.to_skip - 1) if self.to_skip else 0
                self.write(_SYMBOLS.get(symbol, ""))
            elif hexadecimal is not None or plain is not None:
                self.characters(bytes([int(hexadecimal, 16)]) if hexadecimal is not None else plain)
        self.flush()
        text = "".join(self.out)
        return "\n\n".join(
            [*dict.fromkeys(self.margins["header"]), text, *self.after, *dict.fromkeys(self.margins["footer"])]
        )

    def characters(self, data: bytes) -> None:
        skipped = min(self.to_skip, len(data))
        self.to_skip -= skipped
        self.bytes_ += data[skipped:]

    def open(self) -> None:
        self.flush()
        self.to_skip = 0
        self.stack.append(self.state)
        if len(self.stack) > _MAX_DEPTH:
            raise ValueError("nested too deeply")
        self.state = replace(self.state, opened="")

    def close(self) -> None:
        self.flush()
        self.to_skip = 0
        if self.state.opened:
            self.end_apart(self.state.opened)
        self.state = self.stack.pop() if self.stack else _State()

    def word(self, word: str, number: int | None) -> int:
        """Does what a control word says; returns how many bytes after it are no text."""
        starred, self.starred = self.starred, False
        self.flush()
        if word == "bin":
            return max(0, number or 0)
        if word == "u" and number is not None:
            self.write_surrogate(number)
        elif word in _TEXTS:
            self.write(" " if word == "par" and self.in_table else _TEXTS[word])
            if word in {"par", "sect", "page"}:
                self.end_paragraph()
        elif word in _MARGINS or word in _APART or word == "shptxt":
            self.begin_apart(word)
        elif word == "ud":  # the same text once more, in Unicode: what it repeats is passed over
            self.state.skipped = False
        elif word in _SKIPPED or (starred and word not in _READ):
            self.state.skipped = True
        else:
            self.property(word, number)
        return 0

    def write_surrogate(self, number: int) -> None:
        self.write(chr(number % 0x10000) if number < 0x10000 else chr(number) if number <= 0x10FFFF else "\ufffd")
        self.to_skip = self.state.unicode_skip

    def property(self, word: str, number: int | None) -> None:
        if word in {"f", "fcharset"} and number is not None:
            self.font(word, number)
        elif word == "uc":
            self.state.unicode_skip = max(0, number or 0)
        elif word in {"v", "deleted"}:
            self.state.hidden = number != 0
        elif word == "plain":
            self.state.hidden, self.state.encoding = False, None
        elif word in {"intbl", "pard"}:
            self.in_table = word == "intbl"
        elif word in {"cell", "row"} and not self.state.skipped:
            self.end_cell() if word == "cell" else self.end_row()
        elif word in _ENCODINGS or word == "ansicpg":
            self.encoding = _ENCODINGS.get(word) or _known(f"cp{number}") or self.encoding

    def font(self, word: str, number: int) -> None:
        """A font is described in the table of fonts, or used."""
        if word == "fcharset":
            if self.state.font_of is not None and number in _CHARSETS:
                self.fonts[self.state.font_of] = _CHARSETS[number]
        elif self.state.skipped:
            self.state.font_of = number
        else:
            self.state.encoding = self.fonts.get(number)

    def begin_apart(self, word: str) -> None:
        if not self.state.skipped:
            self.kept.append((word, self.out))
            self.out, self.state.opened, self.state.hidden = [], word, False

    def end_apart(self, word: str) -> None:
        text = "".join(self.out).strip()
        _, self.out = self.kept.pop()
        if not text:
            return
        if word in _MARGINS:
            self.margins[word[:6]].append(text)
        else:
            start = _APART.get(word, "")
            self.after.append(f"{start}{text}]" if start else text)

    def end_paragraph(self) -> None:
        if self.after and not self.kept:
            self.out += ["\n", "\n\n".join(self.after), "\n\n"]
            self.after = []
        if not self.kept and not self.in_table:
            self.cell_start = len(self.out)

    def end_cell(self) -> None:
        self.cell_start = min(self.cell_start, len(self.out))
        self.cells.append(" ".join("".join(self.out[self.cell_start :]).split()))
        del self.out[self.cell_start :]

    def end_row(self) -> None:
        if any(self.cells):
            self.out.append(f"| {' | '.join(self.cells)} |\n")
        self.cells = []
        self.cell_start = len(self.out)


def read(data: bytes) -> ParsedFile:
    """The text of the document, with its tables as lines. Raises ValueError where it is nested without end."""
    return ParsedFile(text_decoding.tidy(_Reader().read(data)))


def _known(encoding: str) -> str | None:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        return None
