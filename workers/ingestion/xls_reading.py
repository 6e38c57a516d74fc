"""From an Excel workbook of the years before 2007 to its text, by xlrd: cells as they are shown, and comments."""

import io

import xlrd

from workers.ingestion import number_formats, sheets, signatures, xls_records
from workers.ingestion.compound_files import SIGNATURE, CompoundFile
from workers.ingestion.parsed import ParsedFile
from workers.ingestion.sheets import Sheet


def read(data: bytes) -> ParsedFile:
    """The text of the workbook. Raises Unparsable where it is protected, and what broken records raise."""
    try:
        stream = _stream(data)
        read = xls_records.is_read(stream)
        cells = xls_records.cells_alone(stream, drawn=read)
        book = xlrd.open_workbook(file_contents=cells, logfile=io.StringIO(), formatting_info=True)
    except xlrd.XLRDError as error:
        raise (signatures.protected() if "encrypted" in str(error) else signatures.damaged("xls")) from error
    except (AssertionError, AttributeError) as error:  # what broken records make of xlrd
        raise signatures.damaged("xls") from error
    found = {sheet.name: _sheet(book, sheet) for sheet in book.sheets()}
    for name, beside in (xls_records.beside(stream) if read else {}).items():
        sheet = found.setdefault(name, Sheet(name))
        sheet.notes += [(sheets.named(row, column), text) for row, column, text in beside.notes]
        sheet.texts += beside.texts
    return sheets.together(found.values())


def _stream(data: bytes) -> bytes:
    """The records of the workbook; where Excel wrote it for two versions, those for the later one."""
    if not data.startswith(SIGNATURE):
        return data
    files = CompoundFile(data)
    return files.read("Workbook" if "workbook" in files.names() else "Book")


def _sheet(book: xlrd.book.Book, source: xlrd.sheet.Sheet) -> Sheet:
    sheet = Sheet(source.name)
    for row in range(source.nrows):
        for column, cell in enumerate(source.row(row)):
            sheet.put(row, column, _shown(book, cell))
    for (row, column), note in sorted(source.cell_note_map.items()):
        sheet.notes.append((sheets.named(row, column), note.text))
    return sheet


def _shown(book: xlrd.book.Book, cell: xlrd.sheet.Cell) -> str:
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return "TRUE" if cell.value else "FALSE"
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return str(xlrd.error_text_from_code.get(cell.value, "#N/A"))
    if cell.ctype in {xlrd.XL_CELL_NUMBER, xlrd.XL_CELL_DATE}:
        return number_formats.shown(float(cell.value), _format(book, cell), since_1904=book.datemode == 1)
    return str(cell.value)


def _format(book: xlrd.book.Book, cell: xlrd.sheet.Cell) -> str:
    if cell.xf_index is None or cell.xf_index >= len(book.xf_list):
        return number_formats.GENERAL
    key = book.xf_list[cell.xf_index].format_key
    if key in number_formats.BUILT_IN:  # which the file may repeat in the words of its country
        return str(number_formats.BUILT_IN[key])
    return str(book.format_map[key].format_str) if key in book.format_map else number_formats.GENERAL
