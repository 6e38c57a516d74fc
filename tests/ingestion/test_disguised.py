"""Files under names of other formats: what Word and Excel open all the same is read as what it is."""

from pathlib import Path

import pytest

from tests.ingestion import samples
from tests.ingestion.test_parsing import read, refusal

PAGE = b"<html><head><title>Owls</title></head><body><p>They hear mice.</p></body></html>"
REPORT = b"<table border=1><tr><th>Owl</th><th>Weight</th></tr><tr><td>Barn owl</td><td>500</td></tr></table>"

ARCHIVE = b"""MIME-Version: 1.0
X-Document-Type: Workbook
Content-Type: multipart/related; boundary="----=_x"

------=_x
Content-Location: file:///C:/a.htm
Content-Transfer-Encoding: quoted-printable
Content-Type: text/html; charset="windows-1252"

<html><body><p>Gr=F6=DFe und =\r
mehr</p></body></html>

------=_x
Content-Location: file:///C:/image001.png
Content-Transfer-Encoding: base64
Content-Type: image/png

iVBORw0KGgo=

------=_x--
"""

SHEETS_OF_2003 = b"""<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>
<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet">
<Styles><Style ss:ID="d"><NumberFormat ss:Format="Short Date"/></Style>
<Style ss:ID="p"><NumberFormat ss:Format="0%"/></Style>
<Style ss:ID="t"><NumberFormat ss:Format="hh:mm"/></Style></Styles>
<Worksheet ss:Name="Birds"><Table><Row><Cell><Data ss:Type="String">Owl</Data></Cell>
<Cell ss:Index="3" ss:StyleID="p"><Data ss:Type="Number">0.5</Data>
<Comment><ss:Data>Half!</ss:Data></Comment></Cell></Row>
<Row ss:Index="5"><Cell ss:StyleID="d"><Data ss:Type="DateTime">2024-01-31T00:00:00.000</Data></Cell>
<Cell ss:StyleID="t"><Data ss:Type="DateTime">1899-12-31T07:30:00.000</Data></Cell></Row>
</Table></Worksheet></Workbook>"""

WORDS_OF_2003 = (
    '<?xml version="1.0"?><?mso-application progid="Word.Document"?>'
    '<w:wordDocument xmlns:w="http://schemas.microsoft.com/office/word/2003/wordml" xmlns:wx="urn:wx">'
    "<w:body><wx:sect>"
    "<w:p><w:r><w:t>Größe</w:t></w:r><w:r><w:tab/><w:t>one</w:t></w:r></w:p></wx:sect></w:body></w:wordDocument>"
).encode()


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("a.doc", samples.rtf(["They hear mice."]), "They hear mice."),
        ("a.doc", PAGE, "# Owls\n\nThey hear mice."),
        ("a.docx", PAGE, "# Owls\n\nThey hear mice."),
        ("a.doc", b"\xff\xfe" + PAGE.decode().encode("utf-16-le"), "# Owls\n\nThey hear mice."),
        ("a.doc", "Grüße,\nnichts weiter.\n".encode("cp1252"), "Grüße,\nnichts weiter.\n"),
        ("a.doc", samples.docx(["They hear mice."]), "They hear mice."),
        ("a.doc", ARCHIVE, "Größe und mehr"),
        ("a.mht", ARCHIVE, "Größe und mehr"),
        ("a.doc", WORDS_OF_2003, "Größe\tone"),
        ("a.doc", samples.odt(["They hear mice."]), "They hear mice."),
        ("a.rtf", samples.docx(["They hear mice."]), "They hear mice."),
        ("a.rtf", b"Only words.", "Only words."),
        ("a.xls", REPORT, "Owl | Weight\nBarn owl | 500"),
        ("a.xlsx", REPORT, "Owl | Weight\nBarn owl | 500"),
        ("a.xls", ARCHIVE, "Größe und mehr"),
        ("a.xls", b"Owl\tWeight\nBarn owl\t500\n", "Owl\tWeight\nBarn owl\t500\n"),
        ("a.xls", b"Owl,Weight\r\nBarn owl,500\r\n", "Owl,Weight\r\nBarn owl,500\r\n"),
        ("a.xls", "Eule\tGröße\n".encode("utf-16"), "Eule\tGröße\n"),
        ("a.xls", samples.xlsx([["Owl"]]), "## Sheet\n\n| Owl |\n| --- |"),
        (
            "a.xls",
            SHEETS_OF_2003,
            "## Birds\n\n| Owl |  | 50% |\n| --- | --- | --- |\n| 2024-01-31 | 07:30 |  |\n\n[Comment at C1: Half!]",
        ),
    ],
)
async def test_what_a_file_is_decides(tmp_path: Path, name: str, data: bytes, text: str) -> None:
    assert (await read(tmp_path, name, data)).text == text


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.doc", samples.PNG, "it looks like a PNG image"),
        ("a.xls", samples.PROGRAM, "it looks like a program"),
        ("a.doc", bytes(range(256)) * 20, "its content is something else"),
        ("a.xls", samples.compound_file({"Other": b"x" * 5000}), "it looks like an older Office document"),
        ("a.doc", samples.compound_file({"EncryptedPackage": b"x" * 5000}), "protected by a password"),
        ("a.docx", b"Only words.", "its content is something else"),
        ("a.txt", "Barn owls hunt at night.\nThey hear mice.\n".encode("cp037"), "it looks like a text in EBCDIC"),
        ("a.csv", "OWL,WEIGHT,500,PRICE 12.50 EUR\n".encode("cp500"), "it looks like a text in EBCDIC"),
    ],
)
async def test_what_is_refused(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    refused = await refusal(tmp_path, name, data)
    assert refused.code == "invalid_file"
    assert message in refused.message


async def test_ebcdic_under_a_name_that_tells_nothing(tmp_path: Path) -> None:
    refused = await refusal(tmp_path, "a.dat", "Barn owls hunt at night, as all know.".encode("cp1140"))
    assert (refused.code, "EBCDIC" in refused.message) == ("unsupported_file", True)
