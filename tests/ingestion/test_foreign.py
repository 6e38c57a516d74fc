"""Older Office documents are told by what their topmost folder has; what is not read is refused by its name."""

import contextlib
import struct
from pathlib import Path

import pytest

from tests.ingestion import samples
from tests.ingestion.test_parsing import read, refusal
from workers.ingestion.compound_files import CompoundFile

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


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.ppt", samples.compound_file({"PowerPoint Document": FILLED}), "(.ppt), which is not supported. Save it"),
        ("a.pps", samples.compound_file({"PowerPoint Document": FILLED, "Workbook": FILLED}), "(.ppt), which is not"),
        ("a.doc", samples.compound_file({"PowerPoint Document": FILLED}), "(.ppt), which is not supported. Save it"),
        ("a.ppt", samples.compound_file({"PP40": FILLED}), "(.ppt), which is not"),
        ("a.vsd", samples.compound_file({"VisioDocument": FILLED}), "a Visio drawing, which is not supported. Save it"),
        ("a.vsdx", samples.archive({"visio/document.xml": "x"}), "a Visio drawing, which is not"),
        (
            "a.msg",
            samples.compound_file({"__properties_version1.0": FILLED}),
            "an Outlook message (.msg), which is not",
        ),
        ("a.pub", samples.compound_file({"Quill": FILLED}), "a Publisher document, which is not"),
        ("a.hwp", samples.compound_file({"FileHeader": FILLED}), "a Hangul document (.hwp), which is not"),
        ("a.doc", b"\xdb\xa5\x2d\0" + bytes(range(256)) * 9, "before 1995, which is not supported. Save it"),
        ("a.wpd", b"\xffWPC" + bytes(range(256)) * 9, "a WordPerfect document, which is not"),
        ("a.pages", samples.archive({"Index/Document.iwa": "x"}), "a Pages document, which is not supported. Save it"),
        (
            "a.numbers",
            samples.archive({"Index/Document.iwa": "x", "Index/CalculationEngine-1.iwa": "x"}),
            "a Numbers spreadsheet, which is not supported. Save it as an Excel workbook (.xlsx) and try again.",
        ),
        (
            "a.key",
            samples.archive({"Index/Document.iwa": "x", "Index/Slide-1.iwa": "x"}),
            "a Keynote presentation, which",
        ),
        ("a.oxps", samples.archive({"FixedDocumentSequence.fdseq": "x"}), "an XPS document, which is not"),
        (
            "a.odg",
            samples.archive({"mimetype": "application/vnd.oasis.opendocument.graphics"}),
            "an OpenDocument drawing",
        ),
    ],
)
async def test_what_is_not_read_is_told_by_its_name(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    refused = await refusal(tmp_path, name, data)
    assert refused.code == "unsupported_file"
    assert message in refused.message
    assert refused.message.endswith(" and try again.")


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
