"""What is read from workbooks: cells as they are shown, in all sheets, and what stands upon them."""

import datetime as dt
import io
from pathlib import Path

import openpyxl
import pytest
from openpyxl.comments import Comment

from tests.ingestion import samples
from tests.ingestion.test_parsing import read
from workers.ingestion import number_formats
from workers.ingestion.formula_shifting import shifted

S = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'


@pytest.mark.parametrize(
    ("number", "format_", "shown"),
    [
        (0.3125, "hh:mm", "07:30"),
        (0.3125, "h:mm:ss", "7:30:00"),
        (0.75, "h:mm AM/PM", "6:00 PM"),
        (0.0, "h:mm AM/PM", "12:00 AM"),
        (1.5, "[h]:mm", "36:00"),
        (-0.25, "[h]:mm", "-6:00"),
        (7.5 / 1440, "mm:ss", "07:30"),
        (1.5 / 86400, "ss.00", "01.50"),
        (45322, "yyyy-mm-dd", "2024-01-31"),
        (45322.5, "yyyy-mm-dd h:mm:ss", "2024-01-31 12:00:00"),
        (45322, 'dd"."mm"."yyyy', "31.01.2024"),
        (45322, "dd\\.mm\\.yy", "31.01.24"),
        (45322, "[$-407]d. mmmm yyyy", "31. January 2024"),
        (45322, "ddd d mmm", "Wed 31 Jan"),
        (45322, 'yyyy"年"m"月"d"日"', "2024年1月31日"),
        (45322, number_formats.BUILT_IN[14], "2024-01-31"),
        (1, "yyyy-mm-dd", "1900-01-01"),
        (60, "yyyy-mm-dd", "1900-02-29"),
        (0.125, "0%", "13%"),
        (0.125, "0.0%", "12.5%"),
        (0.333, "0.00 %", "33.30 %"),
        (1234.5, "#,##0.00", "1,234.50"),
        (1234567, "#,##0,", "1,235"),
        (12345678, '0.0,,"M"', "12.3M"),
        (-1234.5, "#,##0.00;(#,##0.00)", "(1,234.50)"),
        (-5, "0.00", "-5.00"),
        (-0.004, "0.00", "0.00"),
        (0, '0;-0;"nil"', "nil"),
        (5, "[$€-407] #,##0.00", "€ 5.00"),
        (5, '#,##0.00\\ "€"', "5.00 €"),
        (0, '_-* #,##0.00_-;-* #,##0.00_-;_-* "-"??_-;_-@_-', "-"),
        (150, '[>=100]"high";[<0]"neg";"low"', "high"),
        (5, '[>=100]"high";[<0]"neg";"low"', "low"),
        (1.25, "# ?/?", "1 1/4"),
        (0.5, "# ?/?", "1/2"),
        (12345, "0.00E+00", "1.23E+04"),
        (999.999, "0.0E+0", "1.0E+3"),
        (5551234567, "(000) 000-0000", "(555) 123-4567"),
        (5, "00000", "00005"),
        (0.1 + 0.2, "General", "0.3"),
        (42, "General", "42"),
        (7, '0" Stück"', "7 Stück"),
        (3, ";;;", "3"),
        (-3, "yyyy", "-3"),
    ],
)
def test_numbers_as_their_cells_show_them(number: float, format_: str, shown: str) -> None:
    assert number_formats.shown(number, format_) == shown


def test_days_since_1904() -> None:
    assert number_formats.shown(1, "yyyy-mm-dd", since_1904=True) == "1904-01-02"


@pytest.mark.parametrize(
    ("formula", "moved"),
    [
        ("A1+B$2+$C3", "B3+C$2+$C5"),
        ('SUM(A1:B2)&"A1"', 'SUM(B3:C4)&"A1"'),
        ("'A1'!Z9", "'A1'!AA11"),
        ("LOG10(A1)", "LOG10(B3)"),
    ],
)
def test_a_formula_that_cells_share(formula: str, moved: str) -> None:
    assert shifted(formula, 2, 1) == moved


def workbook() -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "Birds"
    sheet.append(["Owl", "Share", "Start", "Day"])
    sheet.append(["Barn owl", 0.125, dt.time(7, 30), dt.date(2024, 1, 31)])
    sheet["B2"].number_format = "0.0%"
    sheet["C2"].number_format = "hh:mm"
    sheet["A4"] = "=COUNTA(A1:A2)"
    sheet.merge_cells("A5:C5")
    sheet["A5"] = "Over three columns"
    sheet["A6"] = True
    sheet["A7"] = "two\nlines"
    sheet["B2"].comment = Comment("Too low?", "Ada")
    sheet["A8"] = "our page"
    sheet["A8"].hyperlink = "https://owls.example/"
    assert sheet.oddHeader is not None
    sheet.oddHeader.left.text = "Confidential"
    book.create_sheet("Empty")
    book.create_sheet("Second")["ZZ99"] = "far away"
    hidden = book.create_sheet("Hidden")
    hidden["A1"] = "not shown at first"
    hidden.sheet_state = "hidden"
    return book


async def test_a_workbook_as_it_is_shown(tmp_path: Path) -> None:
    out = io.BytesIO()
    workbook().save(out)
    text = (await read(tmp_path, "a.xlsx", out.getvalue())).text
    assert text == (
        "## Birds\n\n"
        "| Owl | Share | Start | Day |\n| --- | --- | --- | --- |\n| Barn owl | 12.5% | 07:30 | 2024-01-31 |\n"
        "| =COUNTA(A1:A2) |  |  |  |\n| Over three columns |  |  |  |\n| TRUE |  |  |  |\n| two lines |  |  |  |\n"
        "| our page (https://owls.example/) |  |  |  |\n\n"
        "[Comment at B2: Too low?]\n\nConfidential\n\n"
        "## Second\n\n| far away |\n| --- |\n\n## Hidden\n\n| not shown at first |\n| --- |"
    )


async def sheet_text(tmp_path: Path, cells: str, strings: str = "") -> str:
    """A workbook with one row of cells, as Excel writes them."""
    data = samples.with_part(
        samples.xlsx([]), "xl/worksheets/sheet1.xml", f"<worksheet {S}><sheetData>{cells}</sheetData></worksheet>"
    )
    if strings:
        data = samples.with_part(data, "xl/sharedStrings.xml", f"<sst {S}>{strings}</sst>")
        links = samples.links(
            {"s1": ("worksheet", "worksheets/sheet1.xml"), "s2": ("sharedStrings", "/xl/sharedStrings.xml")}
        )
        data = samples.with_part(data, "xl/_rels/workbook.xml.rels", links)
    lines = (await read(tmp_path, "a.xlsx", data)).text.split("\n")
    return "\n".join(line.strip("| ") for line in lines[2:] if "---" not in line)


async def test_texts_in_runs_without_reading_aids(tmp_path: Path) -> None:
    strings = (
        "<si><r><t>Barn </t></r><r><t>owl</t></r></si><si><t>東京</t><rPh sb='0' eb='2'><t>トウキョウ</t></rPh></si>"
    )
    cells = (
        '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="C1" t="s"><v>1</v></c>'
        '<c r="D1" t="str"><v>a_x000D_b</v></c></row>'
    )
    assert await sheet_text(tmp_path, cells, strings) == "Barn owl | 東京 | a b"


async def test_formulas_show_their_results_where_there_are_any(tmp_path: Path) -> None:
    cells = (
        '<row r="1"><c r="A1"><f>1+1</f><v>2</v></c><c r="B1"><f>1+2</f></c>'
        '<c r="C1" t="e"><f>1/0</f><v>#DIV/0!</v></c></row>'
        '<row r="2"><c r="A2"><f t="shared" ref="A2:A3" si="0">B2*2</f></c></row>'
        '<row r="3"><c r="A3"><f t="shared" si="0"/></c><c r="B3"><v>12345678901234567</v></c></row>'
    )
    assert await sheet_text(tmp_path, cells) == "2 | =1+2 | #DIV/0!\n=B2*2\n=B3*2 | 12345678901234567"
