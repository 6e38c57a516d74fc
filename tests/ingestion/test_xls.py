"""What an older workbook has beside its cells: text boxes, headers and footers, comments, titles of charts."""

import struct
from pathlib import Path

import pytest

from tests.ingestion import samples
from tests.ingestion.samples import xls_record
from tests.ingestion.test_parsing import read
from workers.ingestion import number_formats

BOX, NOTE, BUTTON = 0x06, 0x19, 0x07
END = xls_record(0x0A, b"")


def drawn(kind: int, number: int, *pieces: str | bytes) -> bytes:
    """An object with a text, in pieces: those of one byte a character, and those of two."""
    made = xls_record(0x5D, struct.pack("<HHHHHIII", 0x15, 18, kind, number, 0, 0, 0, 0) + bytes(4))
    count = sum(len(piece) for piece in pieces)
    made += xls_record(0x1B6, struct.pack("<HH6sHHI", 0, 0, b"", count, 16, 0))
    for piece in pieces:
        data = b"\x01" + piece.encode("utf-16-le") if isinstance(piece, str) else b"\0" + piece
        made += xls_record(0x3C, data)
    return made + xls_record(0x3C, bytes(16))


def margin(kind: int, text: str) -> bytes:
    return xls_record(kind, struct.pack("<HB", len(text), 1) + text.encode("utf-16-le"))


def chart(text: str) -> bytes:
    title = xls_record(0x100D, struct.pack("<HBB", 0, len(text), 1) + text.encode("utf-16-le"))
    return xls_record(0x809, struct.pack("<HHHHII", 0x0600, 0x0020, 0, 0, 0, 0)) + title + END


@pytest.mark.parametrize(
    ("records", "text"),
    [
        (drawn(BOX, 1, "Сова в рамке"), "Сова в рамке"),
        (drawn(BOX, 1, b"Boxed ", "Сова"), "Boxed Сова"),
        (drawn(BUTTON, 1, b"Press me"), "Press me"),
        (drawn(BOX, 1, b"One") + drawn(BOX, 2, b"Two"), "One\n\nTwo"),
        (margin(0x14, "&L&\"Arial,Bold\"Owls&RPage &P") + margin(0x15, "&CFoot"), "Owls Page\n\nFoot"),
        (chart("Weights of owls"), "Weights of owls"),
        (drawn(NOTE, 7, b"Really?") + xls_record(0x1C, struct.pack("<4H", 0, 1, 0, 7)), "[Comment at B1: Really?]"),
        (drawn(BOX, 1) + drawn(BOX, 2, b"Two"), "Two"),
    ],
)  # fmt: skip
async def test_what_is_beside_the_cells(tmp_path: Path, records: bytes, text: str) -> None:
    found = (await read(tmp_path, "a.xls", samples.xls([["Owl", "500"]], of_sheet=records))).text
    assert " ".join(found.split()) == " ".join(f"## Sheet | Owl | 500 | | --- | --- | {text}".split())


async def test_a_sheet_with_nothing_but_a_box_is_read(tmp_path: Path) -> None:
    data = samples.xls([], of_sheet=drawn(BOX, 1, b"Boxed"))
    assert (await read(tmp_path, "a.xls", data)).text == "## Sheet\n\nBoxed"


@pytest.mark.parametrize("cut", [1, 4, 9])
async def test_a_text_that_is_shorter_than_it_says_is_read_as_far_as_it_goes(tmp_path: Path, cut: int) -> None:
    records = drawn(BOX, 1, b"Boxed text")
    place = records.index(b"Boxed text")
    records = records[: place - 3] + struct.pack("<H", 11 - cut) + b"\0" + b"Boxed text"[:-cut]
    text = (await read(tmp_path, "a.xls", samples.xls([["Owl"]], of_sheet=records))).text
    assert text.endswith("Boxed text"[:-cut].strip())


@pytest.mark.parametrize(
    ("number", "format_", "shown"),
    [
        (12.0, "GENERAL", "12"),
        (12.5, "general", "12.5"),
        (-12.0, "GENERAL;[Red]-GENERAL", "-12"),
        (3.0, '\\(GENERAL\\)" owls"', "(3) owls"),
        (float("nan"), "0.00", "#NUM!"),
        (float("inf"), "General", "#NUM!"),
    ],
)
def test_formats_as_programs_spell_them(number: float, format_: str, shown: str) -> None:
    assert number_formats.shown(number, format_) == shown
