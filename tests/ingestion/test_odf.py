"""What is read from OpenDocument spreadsheets and presentations, from templates, and from files of one piece of XML."""

from pathlib import Path

import pytest

from tests.ingestion import samples
from tests.ingestion.test_parsing import read, refusal

CELL = "<table:table-cell><text:p>{}</text:p></table:table-cell>"
CHART = (
    "<chart:chart><chart:title><text:p>Weights of owls</text:p></chart:title><table:table table:name='local-table'>"
    f"<table:table-rows><table:table-row>{CELL.format('Barn owl')}{CELL.format('500')}</table:table-row>"
    "</table:table-rows></table:table></chart:chart>"
)
OBJECT = "<draw:frame><draw:object xlink:href='./Object 1' xmlns:xlink='http://www.w3.org/1999/xlink'/></draw:frame>"


def sheet(rows: str, name: str = "Owls") -> str:
    return f"<table:table table:name='{name}'>{rows}</table:table>"


def row(*cells: str, more: str = "") -> str:
    return f"<table:table-row {more}>{''.join(cells)}</table:table-row>"


NOTE = "<office:annotation><text:p>Really?</text:p></office:annotation>"
OWL, WEIGHT = CELL.format("Owl"), CELL.format("500 g")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (sheet(row(OWL, WEIGHT)), "## Owls\n\n| Owl | 500 g |\n| --- | --- |"),
        (sheet(row(OWL)) + sheet(row(WEIGHT), "Two"), "## Owls\n\n| Owl |\n| --- |\n\n## Two\n\n| 500 g |\n| --- |"),
        (
            sheet(row(OWL, more="table:number-rows-repeated='2'") + row(WEIGHT)),
            "## Owls\n\n| Owl |\n| --- |\n| Owl |\n| 500 g |",
        ),
        (
            sheet(row(OWL.replace("-cell>", "-cell table:number-columns-repeated='3'>", 1), WEIGHT)),
            "## Owls\n\n| Owl | Owl | Owl | 500 g |\n| --- | --- | --- | --- |",
        ),
        (
            sheet(row(OWL) + row("<table:table-cell/>", more="table:number-rows-repeated='1048574'") + row(WEIGHT)),
            "## Owls\n\n| Owl |\n| --- |\n| 500 g |",
        ),
        (
            sheet(f"<table:table-header-rows>{row(OWL)}</table:table-header-rows><table:table-row-group>{row(WEIGHT)}"
                  "</table:table-row-group>"),
            "## Owls\n\n| Owl |\n| --- |\n| 500 g |",
        ),
        (
            sheet(row("<table:table-cell office:value-type='float' office:value='0.5'/>",
                      "<table:table-cell office:value-type='boolean' office:boolean-value='true'/>",
                      "<table:table-cell office:value-type='date' office:date-value='2024-01-31'/>",
                      "<table:table-cell table:formula='of:=SUM([.A1])'/>")),
            "## Owls\n\n| 0.5 | TRUE | 2024-01-31 | =SUM([.A1]) |\n| --- | --- | --- | --- |",
        ),
        (
            sheet(row(OWL.replace("<text:p>", f"{NOTE}<text:p>"))),
            "## Owls\n\n| Owl |\n| --- |\n\n[Comment at A1: Really?]",
        ),
        (
            sheet("<table:shapes><draw:frame><draw:text-box><text:p>Boxed</text:p></draw:text-box></draw:frame>"
                  f"</table:shapes>{row(OWL)}"),
            "## Owls\n\n| Owl |\n| --- |\n\nBoxed",
        ),
    ],
)  # fmt: skip
async def test_sheets(tmp_path: Path, body: str, text: str) -> None:
    for name, data in (
        ("a.ods", samples.odf("spreadsheet", body)),
        ("a.ots", samples.odf("spreadsheet", body, template=True)),
        ("a.what", samples.odf("spreadsheet", body)),
        ("a.fods", samples.flat_odf("spreadsheet", body)),
    ):
        assert (await read(tmp_path, name, data)).text == text


async def test_headers_of_sheets_without_those_of_every_file(tmp_path: Path) -> None:
    margins = (
        "<style:header><text:p>Confidential</text:p></style:header>"
        "<style:footer><text:p>Page <text:page-number>1</text:page-number></text:p></style:footer>"
    )
    styles = samples.odf_content("styles", margins)
    data = samples.with_part(samples.odf("spreadsheet", sheet(row(OWL))), "styles.xml", styles)
    assert (await read(tmp_path, "a.ods", data)).text == "## Owls\n\n| Owl |\n| --- |\n\nConfidential"


@pytest.mark.parametrize("repeated", ["999999999", "9" * 30])
async def test_cells_repeated_without_end_are_refused(tmp_path: Path, repeated: str) -> None:
    cell = f"<table:table-cell table:number-columns-repeated='{repeated}'><text:p>X</text:p></table:table-cell>"
    body = sheet(row(cell, more=f"table:number-rows-repeated='{repeated}'"))
    if len(repeated) > 12:  # no number that a program would write: once, then
        assert (await read(tmp_path, "a.ods", samples.odf("spreadsheet", body))).text.count("X") == 1
    else:
        assert "too much text" in (await refusal(tmp_path, "a.ods", samples.odf("spreadsheet", body))).message


SLIDES = (
    "<draw:page><draw:frame><draw:text-box><text:p>Owls</text:p><text:list><text:list-item><text:p>hear</text:p>"
    "</text:list-item></text:list></draw:text-box></draw:frame>"
    "<office:annotation><text:p>Really?</text:p></office:annotation>"
    "<presentation:notes><draw:frame><draw:text-box><text:p>Say it.</text:p></draw:text-box></draw:frame>"
    "</presentation:notes></draw:page>"
    f"<draw:page><draw:g><draw:custom-shape><text:p>In a shape</text:p></draw:custom-shape></draw:g>{sheet(row(OWL))}"
    "</draw:page>"
)


async def test_slides_are_pages(tmp_path: Path) -> None:
    for name, data in (
        ("a.odp", samples.odf("presentation", SLIDES)),
        ("a.otp", samples.odf("presentation", SLIDES, template=True)),
        ("a.fodp", samples.flat_odf("presentation", SLIDES)),
    ):
        parsed = await read(tmp_path, name, data)
        start = parsed.page_starts[1]
        first, second = parsed.text[:start], parsed.text[start:]
        assert first == "Owls\n\n- hear\n\n[Comment: Really?]\n\nNotes: Say it.\n\n"
        assert second == "In a shape\n\n| Owl |\n| --- |"


@pytest.mark.parametrize(
    ("kind", "body", "name"),
    [
        ("text", f"<text:p>See{OBJECT}</text:p>", "a.odt"),
        ("presentation", f"<draw:page>{OBJECT}</draw:page>", "a.odp"),
        ("spreadsheet", sheet(f"<table:shapes>{OBJECT}</table:shapes>{row(OWL)}"), "a.ods"),
        ("spreadsheet", sheet(row(f"<table:table-cell>{OBJECT}</table:table-cell>", OWL)), "a.ods"),
    ],
)
async def test_charts(tmp_path: Path, kind: str, body: str, name: str) -> None:
    data = samples.with_part(samples.odf(kind, body), "Object 1/content.xml", samples.odf_content("chart", CHART))
    text = (await read(tmp_path, name, data)).text
    assert "Weights of owls\n\n| Barn owl | 500 |" in text


async def test_texts_of_one_piece_of_xml(tmp_path: Path) -> None:
    data = samples.flat_odf("text", "<text:h text:outline-level='1'>Owls</text:h><text:p>They hear.</text:p>")
    for name in ("a.fodt", "a.odt", "a.doc"):
        assert (await read(tmp_path, name, data)).text == "# Owls\n\nThey hear."
