"""Sheets of workbooks as text: each with its name, its rows as lines of a table, and the notes on its cells."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from workers.ingestion import markdown_tables, text_decoding
from workers.ingestion.parsed import ParsedFile

_REFERENCE: Final = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})")
_MARGIN_CODES: Final = re.compile(r'&(?:"[^"]*"|K[0-9A-Fa-f]{6}|\d+|[A-Za-z])')
_BLANKS: Final = re.compile(r"\s+")


@dataclass
class Sheet:
    """A sheet: the texts of its cells by row and column, from 0; notes (of which cell, what); and other texts."""

    name: str
    cells: dict[int, dict[int, str]] = field(default_factory=dict)
    notes: list[tuple[str, str]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def put(self, row: int, column: int, text: str) -> None:
        """Sets a cell."""
        text = _BLANKS.sub(" ", text).strip()
        if text:
            self.cells.setdefault(row, {})[column] = text


def place(reference: str) -> tuple[int, int] | None:
    """Row and column of a cell that is named like "B7", from 0; None if it is no such name."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        return None
    column = 0
    for letter in match[1].upper():
        column = column * 26 + ord(letter) - ord("A") + 1
    return int(match[2]) - 1, column - 1


def named(row: int, column: int) -> str:
    """The name of a cell, like "B7"."""
    letters, column = "", column + 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return f"{letters}{row + 1}"


def margin(text: str) -> str:
    """A header or a footer without the marks of its form, and of what stands there (pages, dates)."""
    return _MARGIN_CODES.sub(" ", text).strip()


def together(sheets: Iterable[Sheet]) -> ParsedFile:
    """The text of a workbook. Sheets with nothing in them are left out."""
    return ParsedFile(text_decoding.tidy("\n\n".join(filter(None, map(_text, sheets)))))


def _text(sheet: Sheet) -> str:
    parts = [_table(sheet.cells)] if sheet.cells else []
    parts += [f"[Comment at {cell}: {_BLANKS.sub(' ', note).strip()}]" for cell, note in sheet.notes if note.strip()]
    parts += [text for text in sheet.texts if text.strip()]
    return "\n\n".join([f"## {sheet.name}", *parts]) if parts else ""


def _table(cells: Mapping[int, Mapping[int, str]]) -> str:
    """The rows in which something stands, of the columns in which something stands."""
    columns = sorted({column for row in cells.values() for column in row})
    return markdown_tables.of([[cells[row].get(column, "") for column in columns] for row in sorted(cells)])
