"""From an Excel workbook to its text: every sheet, with cells as they are shown, comments, text boxes and charts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from workers.ingestion import chart_texts, number_formats, sheets
from workers.ingestion.formula_shifting import shifted
from workers.ingestion.office_xml import Element, Link, Package, attribute, child, every, local, relationship
from workers.ingestion.parsed import ParsedFile
from workers.ingestion.sheets import Sheet

_MARGINS: Final = frozenset({f"{which}{what}" for which in ("odd", "even", "first") for what in ("Header", "Footer")})

_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")


@dataclass(frozen=True)
class _Workbook:
    strings: list[str]
    formats: list[str]  # by the number of a cell's style
    since_1904: bool


def read(data: bytes) -> ParsedFile:
    """The text of the workbook. Raises what a broken archive or broken markup raises."""
    package = Package(data)
    main = package.main()
    root = package.xml(main)
    links = package.links(main)
    entries = child(root, "sheets")
    if root is None or entries is None:
        raise KeyError("sheets")
    properties = child(root, "workbookPr")
    workbook = _Workbook(
        [text for name in package.linked(main, "sharedStrings") for text in _strings(package, name)],
        [format_ for name in package.linked(main, "styles") for format_ in _formats(package.xml(name))],
        properties is not None and attribute(properties, "date1904") in {"1", "true"},
    )
    found = []
    for entry in entries:
        link = links.get(relationship(entry))
        if link is not None and package.has(link.target):
            found.append(_sheet(package, link.target, attribute(entry, "name") or "", workbook))
    return sheets.together(found)


def _strings(package: Package, name: str) -> Iterator[str]:
    with package.open(name) as part:
        for _, element in ET.iterparse(part):  # noqa: S314 - see office_xml.parse
            if local(element) == "si":
                yield _rich_text(element)
                element.clear()


def _rich_text(element: Element) -> str:
    """The text of a cell in runs, without the reading aids of East Asian texts."""
    texts = []
    for found in element:
        if local(found) == "t":
            texts.append(found.text or "")
        elif local(found) == "r":
            texts += [text.text or "" for text in found if local(text) == "t"]
    return _unescaped("".join(texts))


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


def _formats(styles: Element | None) -> list[str]:
    if styles is None:
        return []
    own = {
        attribute(format_, "numFmtId"): attribute(format_, "formatCode") or number_formats.GENERAL
        for format_ in child(styles, "numFmts") or ()
    }
    numbers = [attribute(style, "numFmtId") or "0" for style in child(styles, "cellXfs") or ()]
    return [
        own.get(number) or number_formats.BUILT_IN.get(int(number) if number.isdigit() else 0, number_formats.GENERAL)
        for number in numbers
    ]


def _sheet(package: Package, part: str, name: str, workbook: _Workbook) -> Sheet:
    sheet = Sheet(name)
    _Cells(sheet, workbook).read(package, part)
    for comments in (*package.linked(part, "threadedComment"), *package.linked(part, "comments")):
        _add_notes(sheet, package.xml(comments))
    for drawing in package.linked(part, "drawing"):
        sheet.texts += _drawing(package, drawing)
    return sheet


class _Cells:
    """Fills a sheet with its cells, one row after the other: sheets may be large."""

    def __init__(self, sheet: Sheet, workbook: _Workbook) -> None:
        self._sheet = sheet
        self._workbook = workbook
        self._shared: dict[str, tuple[str, int, int]] = {}  # formulas that several cells share, and whose they are

    def read(self, package: Package, part: str) -> None:
        row, links = -1, package.links(part)
        with package.open(part) as opened:
            for _, element in ET.iterparse(opened):  # noqa: S314 - see office_xml.parse
                name = local(element)
                if name == "row":
                    number = attribute(element, "r") or ""
                    row = int(number) - 1 if number.isdigit() else row + 1
                    self._row(row, element)
                    element.clear()
                elif name == "hyperlink":
                    self._link(element, links)
                elif name in _MARGINS and element.text:
                    self._sheet.texts.append(sheets.margin(element.text))

    def _link(self, element: Element, links: dict[str, Link]) -> None:
        """Puts an address after the text that leads there."""
        link = links.get(relationship(element))
        where = sheets.place(attribute(element, "ref") or "")
        text = self._sheet.cells.get(where[0], {}).get(where[1], "") if where else ""
        if link is not None and link.external and where and text and link.target.removeprefix("mailto:") not in text:
            self._sheet.put(*where, f"{text} ({link.target})")

    def _row(self, row: int, element: Element) -> None:
        column = -1
        for cell in element:
            if local(cell) == "c":
                where = sheets.place(attribute(cell, "r") or "")
                column = where[1] if where else column + 1
                self._sheet.put(row, column, self._text(cell, row, column))

    def _text(self, cell: Element, row: int, column: int) -> str:
        value, formula = child(cell, "v"), child(cell, "f")
        equation = self._formula(formula, row, column) if formula is not None else ""
        text = value.text if value is not None else None
        type_ = attribute(cell, "t") or "n"
        inline = child(cell, "is")
        if inline is not None:
            return self._formatted_text(_rich_text(inline), cell)
        if text is None:
            return f"={equation}" if equation else ""
        return self._value(text, type_, cell)

    def _value(self, text: str, type_: str, cell: Element) -> str:
        if type_ == "s":
            return self._formatted_text(self._workbook.strings[int(text)], cell)
        if type_ == "b":
            return "TRUE" if text.strip() == "1" else "FALSE"
        if type_ == "n":
            return self._number(text, cell)
        if type_ == "str":
            return self._formatted_text(_unescaped(text), cell)
        return text  # an error, or a date in ISO 8601

    def _formula(self, formula: Element, row: int, column: int) -> str:
        text, group = formula.text or "", attribute(formula, "si")
        if attribute(formula, "t") == "shared" and group is not None:
            if text:
                self._shared[group] = (text, row, column)
            elif group in self._shared:
                shared, from_row, from_column = self._shared[group]
                return shifted(shared, row - from_row, column - from_column)
        return text

    def _format(self, cell: Element) -> str:
        style = attribute(cell, "s") or "0"
        formats = self._workbook.formats
        return formats[int(style)] if style.isdigit() and int(style) < len(formats) else number_formats.GENERAL

    def _number(self, text: str, cell: Element) -> str:
        try:
            number = float(text)
        except ValueError:
            return text
        if text.strip().lstrip("-").isdigit() and self._format(cell) == number_formats.GENERAL:
            return text.strip()  # of more digits than a float has
        return number_formats.shown(number, self._format(cell), since_1904=self._workbook.since_1904)

    def _formatted_text(self, text: str, cell: Element) -> str:
        return number_formats.shown_text(text, self._format(cell))


def _add_notes(sheet: Sheet, root: Element | None) -> None:
    """Comments on cells. Of a conversation there is a copy in the old form, which is passed over."""
    told = {cell for cell, _ in sheet.notes}
    for comment in root.iter() if root is not None else ():
        if local(comment) not in {"comment", "threadedComment"}:
            continue
        cell = attribute(comment, "ref") or ""
        holder = child(comment, "text")
        text = "" if holder is None else (holder.text or "").strip() or _rich_text(holder)
        if local(comment) == "threadedComment" or cell not in told:
            sheet.notes.append((cell, text))


def _drawing(package: Package, part: str) -> list[str]:
    """What text boxes, charts and diagrams say."""
    drawing = package.xml(part)
    boxes = every(drawing, "txBody") if drawing is not None else ()
    texts = [
        "\n".join("".join(run.text or "" for run in every(line, "t")) for line in every(box, "p")).strip()
        for box in boxes
    ]
    for type_ in ("chart", "chartEx", "diagramData"):
        for name in package.linked(part, type_):
            root = package.xml(name)
            texts += [] if root is None else [chart_texts.read(root)]
    return [text for text in texts if text]
