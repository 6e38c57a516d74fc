"""Older Office documents are told by what their topmost folder has; what is not read is refused by its name."""

import contextlib
import re
import struct
from pathlib import Path

import pytest

from tests.ingestion import samples
from tests.ingestion.test_parsing import read, refusal
from workers.ingestion import kinds
from workers.ingestion.compound_files import CompoundFile

DOCUMENT = Path(__file__).parents[2] / "docs" / "retrieval.md"

FILLED = b"x" * 5000

#: A name with a formula of what a library takes for impossible there.
ODD_NAME = samples.xls_record(
    0x18, struct.pack("<HBBHHHBBBB", 0, 0, 4, 9, 0, 0, 0, 0, 0, 0) + b"\0Owls" + b"\x2d" + bytes(8)
)


def spelt(data: bytes, name: str, otherwise: str) -> bytes:
    """The compound file with another name of a stream."""
    return data.replace(name.encode("utf-16-le"), otherwise.encode("utf-16-le"))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.xls", samples.xls([["They hear mice."]]) + samples.doc("An embedded text")),
        ("a.xls", samples.xls([["They hear mice."]]) + samples.compound_file({"EncryptedPackage": FILLED})),
        ("a.doc", samples.doc("They hear mice.") + samples.xls([["An embedded sheet"]])),
        ("a.xls", spelt(samples.xls([["They hear mice."]]), "Workbook", "WORKBOOK")),
        ("a.doc", spelt(samples.doc("They hear mice."), "WordDocument", "WORDDOCUMENT")),
        ("a.doc", spelt(samples.doc("They hear mice."), "1Table", "1TABLE")),
        ("a.xls", samples.xls([["They hear mice."]], ODD_NAME)),
    ],
)
async def test_what_lies_in_the_topmost_folder_decides(tmp_path: Path, name: str, data: bytes) -> None:
    for given in (name, "a.what"):
        text = (await read(tmp_path, given, data)).text
        assert "They hear mice." in text
        assert "embedded" not in text


#: A small file of each kind that is known and not read, by its extension.
FOREIGN = {
    "ppt": samples.compound_file({"PowerPoint Document": FILLED}),
    "pps": samples.compound_file({"PowerPoint Document": FILLED, "Workbook": FILLED}),
    "pot": samples.compound_file({"PP40": FILLED}),
    "xlsb": samples.archive({"xl/workbook.bin": "x", "xl/worksheets/sheet1.bin": "x"}),
    "pages": samples.archive({"Index/Document.iwa": "x"}),
    "numbers": samples.archive({"Index/Document.iwa": "x", "Index/CalculationEngine-1.iwa": "x"}),
    "key": samples.archive({"Index/Document.iwa": "x", "Index/Slide-1.iwa": "x"}),
    "msg": samples.compound_file({"__properties_version1.0": FILLED}),
    "vsd": samples.compound_file({"VisioDocument": FILLED}),
    "vsdx": samples.archive({"visio/document.xml": "x"}),
    "pub": samples.compound_file({"Quill": FILLED}),
    "odg": samples.odf("graphics", "<draw:page/>"),
    "xps": samples.archive({"FixedDocumentSequence.fdseq": "x"}),
    "one": bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3") + FILLED,
    "hwp": samples.compound_file({"FileHeader": FILLED}),
    "wpd": b"\xffWPC" + bytes(range(256)) * 9,
    "wps": samples.compound_file({"MatOST": FILLED}),
    "doc of Word 2": b"\xdb\xa5\x2d\0" + bytes(range(256)) * 9,
}


@pytest.mark.parametrize("extension", FOREIGN)
async def test_what_is_not_read_is_told_by_its_name(tmp_path: Path, extension: str) -> None:
    for name in (f"a.{extension.split(maxsplit=1)[0]}", "a.doc", "a.what"):
        refused = await refusal(tmp_path, name, FOREIGN[extension])
        assert refused.code == "unsupported_file"
        assert "which is not supported. Save it as" in refused.message
        advised = set(re.findall(r"\.\w+\b|PDF", refused.message.partition("Save it")[2]))
        assert advised <= set(re.findall(r"\.\w+\b|PDF", documented("unsupported_file")[extension]))


def documented(code: str) -> dict[str, str]:
    """By the extension: what the document says of what is refused."""
    rows = re.findall(rf"^\| (.+?) \| `{code}`(.*) \|$", DOCUMENT.read_text(), re.M)
    return {extension: advice for extensions, advice in rows for extension in extensions.split(", ")}


def test_the_document_lists_what_is_read_and_what_is_not() -> None:
    table = DOCUMENT.read_text().partition("## What is read")[2].partition("What is not read")[0]
    listed = {name for names in re.findall(r"^\| ([a-z, ]+) \|", table, re.M) for name in names.split(", ")}
    assert {kinds.kind_of(f"a.{name}") for name in listed - {"format", "texts"}} == kinds._DOCUMENTS
    assert listed >= {*kinds._DOCUMENTS, *kinds._ALIASES}
    assert FOREIGN.keys() <= documented("unsupported_file").keys()
    assert documented("unsupported_file").keys() & kinds._DOCUMENTS == set()


@pytest.mark.parametrize("name", ["a.docx", "a.xlsb", "a.ppt", "a.what"])
@pytest.mark.parametrize("stream", ["EncryptedPackage", "\tDRMContent"])
async def test_what_is_encrypted_is_told_under_any_name(tmp_path: Path, name: str, stream: str) -> None:
    refused = await refusal(tmp_path, name, samples.compound_file({stream: FILLED, "WordDocument": FILLED}))
    assert refused.code == "invalid_file"
    assert "protected by a password" in refused.message


@pytest.mark.parametrize("cut", [600, 1024, 1100, 2000])
async def test_a_compound_file_that_is_cut_is_damaged(tmp_path: Path, cut: int) -> None:
    refused = await refusal(tmp_path, "a.xls", samples.xls([["Owl"]])[:cut])
    assert refused.code == "invalid_file"


@pytest.mark.parametrize("place", [44, 48, 60, 68, 76, 516, 1024 + 76, 1024 + 128 + 116])
def test_a_compound_file_with_wrong_numbers_is_read_or_told_to_be_broken(place: int) -> None:
    data = bytearray(samples.xls([["Owl"]]))
    struct.pack_into("<I", data, place, 0x7FFFFFF0)
    with contextlib.suppress(ValueError, KeyError, struct.error):
        assert CompoundFile(bytes(data)).read("workbook") == CompoundFile(samples.xls([["Owl"]])).read("Workbook")
