"""From a workbook that Excel 2003 or a report generator has written as one file of XML to its text."""

import datetime as dt
from typing import Final

from workers.ingestion import number_formats, sheets
from workers.ingestion.office_xml import Element, attribute, child, every, local, parse
from workers.ingestion.parsed import ParsedFile
from workers.ingestion.sheets import Sheet

#: Formats that have names here, and codes elsewhere.
_NAMED: Final = {
    "General Number": number_formats.GENERAL,
    "Fixed": "0.00",
    "Standard": "#,##0.00",
    "Percent": "0.00%",
    "Scientific": "0.00E+00",
    "Currency": "$#,##0.00",
    "Euro Currency": "€#,##0.00",
    "General Date": "yyyy-mm-dd h:mm",
    "Short Date": "yyyy-mm-dd",
    "Medium Date": "d-mmm-yy",
    "Long Date": "yyyy-mm-dd",
    "Short Time": "h:mm",
    "Medium Time": "h:mm AM/PM",
    "Long Time": "h:mm:ss",
}

_DAY_0: Final = dt.datetime(1899, 12, 30)  # noqa: DTZ001 - of cells, which know no zone


def read(data: bytes) -> ParsedFile:
    """The text of the workbook. Raises what broken markup raises."""
    root = parse(data)
    formats = {attribute(style, "ID"): _format(style) for style in child(root, "Styles") or ()}
    return sheets.together(_sheet(element, formats) for element in root if local(element) == "Worksheet")


def _format(style: Element) -> str:
    code = attribute(found, "Format") if (found := child(style, "NumberFormat")) is not None else None
    return _NAMED.get(code or "", code or number_formats.GENERAL)


def _sheet(element: Element, formats: dict[str | None, str]) -> Sheet:
    sheet = Sheet(attribute(element, "Name") or "")
    row = -1
    for line in child(element, "Table") or ():
        if local(line) != "Row":
            continue
        row = _index(line, row)
        column = -1
        for cell in line:
            if local(cell) != "Cell":
                continue
            column = _index(cell, column)
            style = formats.get(attribute(cell, "StyleID") or attribute(line, "StyleID"), number_formats.GENERAL)
            sheet.put(row, column, _cell(cell, style))
            comment = child(cell, "Comment")
            if comment is not None:
                sheet.notes.append((sheets.named(row, column), "".join(comment.itertext())))
            column += _int(attribute(cell, "MergeAcross"))
    return sheet


def _cell(cell: Element, style: str) -> str:
    data = next(every(cell, "Data"), None)
    if data is None:
        return attribute(cell, "Formula") or ""
    text, type_ = "".join(data.itertext()), attribute(data, "Type")
    try:
        if type_ == "DateTime":
            days = (dt.datetime.fromisoformat(text).replace(tzinfo=None) - _DAY_0) / dt.timedelta(1)
            return number_formats.shown(days, "yyyy-mm-dd" if style == number_formats.GENERAL else style)
        if type_ == "Number":
            return text.strip() if style == number_formats.GENERAL else number_formats.shown(float(text), style)
    except ValueError:
        return text
    if type_ == "Boolean":
        return "TRUE" if text.strip() == "1" else "FALSE"
    return number_formats.shown_text(text, style)


def _index(element: Element, before: int) -> int:
    """Which row or cell it is, from 0: the one that it says, or the one that follows."""
    return (_int(attribute(element, "Index")) or before + 2) - 1


def _int(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0
