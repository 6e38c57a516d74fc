"""From an OpenDocument spreadsheet to its text: every sheet with its cells as shown, comments, boxes and charts."""

from collections.abc import Iterator
from typing import Final

from workers.ingestion import odf_blocks, sheets
from workers.ingestion.office_xml import Element, Package, attribute, child, local
from workers.ingestion.parsed import ParsedFile, too_long
from workers.ingestion.sheets import Sheet

_CELLS: Final = frozenset({"table-cell", "covered-table-cell"})
#: What a cell holds that says nothing of how it is shown.
_VALUES: Final = ("string-value", "date-value", "time-value", "boolean-value", "value")
#: Of the headers that programs put into every file: fields of the file, and the word before them.
_FIELDS: Final = frozenset({"page-number", "page-count", "sheet-name", "title", "file-name", "date", "time"})

#: Rows and cells that are the same stand there once, with their number. More than these nobody wrote.
_MAX_CELLS: Final = 5_000_000


def read(data: bytes) -> ParsedFile:
    """The text of the workbook. Raises what a broken archive or broken markup raises, Unparsable if it is too long."""
    package = Package(data)
    return read_parts(odf_blocks.body_of(package), package.xml("styles.xml"))


def read_parts(body: Element, styles: Element | None) -> ParsedFile:
    """The text of a body with tables, and of the headers and footers that its styles have, on the first of them."""
    found = [_sheet(table) for table in child(body, "spreadsheet") or () if local(table) == "table"]
    if found and styles is not None:
        found[0].texts += _margins(styles)
    return sheets.together(found)


def _margins(styles: Element) -> list[str]:
    for element in styles.iter():
        if local(element) == "p" and any(local(part) in _FIELDS for part in element):
            for part in [part for part in element if local(part) in _FIELDS]:
                part.text = ""
            words = "".join(element.itertext()).split()
            if len(words) < 2 or not any(word.isalpha() for word in words[1:]):
                element.clear()
    header, footer = odf_blocks.margins(styles)
    return [*header, *footer]


def _sheet(table: Element) -> Sheet:
    sheet = Sheet(attribute(table, "name") or "")
    row = written = 0
    for line in _rows(table):
        cells = list(_cells(line, sheet, row))
        count = _number(line, "number-rows-repeated")
        written += count * len(cells)
        if written > _MAX_CELLS:
            raise too_long()
        for place in range(row, row + (count if cells else 0)):
            for column, text in cells:
                sheet.put(place, column, text)
        row += count
    for part in table:
        if local(part) == "shapes":
            sheet.texts += odf_blocks.blocks(part)
    return sheet


def _rows(table: Element) -> Iterator[Element]:
    """The rows, also of groups and headers."""
    for part in table:
        if local(part) == "table-row":
            yield part
        elif local(part) in {"table-rows", "table-header-rows", "table-row-group"}:
            yield from _rows(part)


def _cells(line: Element, sheet: Sheet, row: int) -> Iterator[tuple[int, str]]:
    """The columns and texts of the cells that have any; what hangs on them goes to the sheet."""
    column = 0
    for cell in line:
        if local(cell) not in _CELLS:
            continue
        count = _number(cell, "number-columns-repeated")
        shown = []
        for part in cell:
            if local(part) == "annotation":
                sheet.notes.append((sheets.named(row, column), " ".join(odf_blocks.blocks(part))))
            elif local(part) in {"p", "h", "list"}:
                shown += odf_blocks.blocks([part])
            else:  # boxes and charts, which hang on a cell
                sheet.texts += odf_blocks.blocks([part])
        text = " ".join(shown) or _value(cell)
        if text.strip():
            if count > _MAX_CELLS:
                raise too_long()
            yield from ((place, text) for place in range(column, column + count))
        column += count


def _value(cell: Element) -> str:
    """What a cell has that some program wrote without saying how it is shown; without a value, its formula."""
    value = next((value for name in _VALUES if (value := attribute(cell, name))), "")
    if attribute(cell, "value-type") == "boolean":
        return value.upper()
    return value or (attribute(cell, "formula") or "").partition(":")[2]


def _number(element: Element, name: str) -> int:
    text = attribute(element, name) or "1"
    return int(text) if text.isdigit() and len(text) < 12 else 1
