"""Texts in the encodings of half a century: a table of languages, encodings and lengths, and texts that are damaged.

`LOCUM_WHOLE_TABLE=1` reads the table whole, which takes twice as long and more: of the longest texts, every encoding
of a language instead of its first, and of lines that are not of Western Europe, all instead of every third.
"""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ingestion.languages import ENCODINGS, TEXTS
from workers.ingestion import html_reading
from workers.ingestion.text_decoding import clean, decode

WIDE = ("utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "utf-16", "utf-32", "utf-32-le")
SHORT, LINE, PAGE, LONG = "20 characters", "a line", "a few lines", "200 lines"

#: How much of each length is to be read right, at least. Of what is wrong at 20 characters, nearly all is of DOS or the
#: Macintosh, or has one letter beyond ASCII.
EXPECTED = {SHORT: 0.92, LINE: 0.97, PAGE: 1.0, LONG: 1.0}


#: What Windows and its Western predecessors wrote is by far the most common.
WESTERN = ("cp1252", "latin-1", "iso8859-15")
_WHOLE = bool(os.environ.get("LOCUM_WHOLE_TABLE"))


def pieces(text: str) -> list[tuple[str, str]]:
    lines = text.splitlines(keepends=True)
    return [
        *((SHORT, line[:20]) for line in lines[::2]),
        *((LINE, line) for line in lines[1::2]),
        (PAGE, text),
        (LONG, (text * 70)[: 200 * 50] + "\n"),
    ]


def _rows() -> Iterator[tuple[str, str, str, str]]:
    """Language, encoding, length and text."""
    for language, text in TEXTS.items():
        for place, encoding in enumerate(ENCODINGS[language]):
            for number, (length, piece) in enumerate(pieces(text)):
                chosen = place == 0 if length == LONG else length == PAGE or (place + number) % 3 == 0
                if _WHOLE or chosen or (encoding in WESTERN and length != LONG):
                    yield language, encoding, length, piece


def test_the_table() -> None:
    right: Counter[tuple[str, str]] = Counter()
    all_: Counter[tuple[str, str]] = Counter()
    wrong = []
    for language, encoding, length, piece in _rows():
        try:
            data = piece.encode(encoding)
        except UnicodeEncodeError:
            continue
        read = decode(data)
        for what in ("all", encoding):
            all_[length, what] += 1
            right[length, what] += read == piece
        if read != piece:
            wrong.append((language, encoding, piece[:40], (read or "")[:40]))
    for length, share in EXPECTED.items():
        assert right[length, "all"] >= share * all_[length, "all"], (length, right, wrong)
        for encoding in WESTERN:
            assert right[length, encoding] == all_[length, encoding], wrong
            assert all_[length, encoding] > 0 or length == LONG


@pytest.mark.parametrize("encoding", WIDE)
@pytest.mark.parametrize("language", TEXTS)
def test_unicode_in_all_its_forms(language: str, encoding: str) -> None:
    text = TEXTS[language]
    assert decode(text.encode(encoding)) == text
    line = text.splitlines()[0] + "\n"
    assert decode(line.encode(encoding)) == line


@pytest.mark.parametrize(
    "text", ["Peña", "José Peña", "Preis: 5 €", "“Yes,” he said – it’s 5 £", "São Paulo", "Ærø", "naïve café"]
)
def test_a_few_letters_are_of_western_windows(text: str) -> None:
    assert decode(text.encode("cp1252")) == text


def test_vietnamese_of_windows_is_composed() -> None:
    text = TEXTS["Vietnamese"]
    marks = {"́": "\xec", "̀": "\xcc", "̉": "\xd2", "̃": "\xde", "̣": "\xf2"}
    written = b""
    for character in text:
        try:
            written += character.encode("cp1258")
        except UnicodeEncodeError:
            whole = unicodedata.normalize("NFD", character)
            mark = next(part for part in whole if part in marks)
            written += unicodedata.normalize("NFC", whole.replace(mark, "")).encode("cp1258")
            written += marks[mark].encode("latin-1")
    assert decode(written) == text


# What is damaged.

UTF8 = "Die Größe der Eule.\nСова и мышь.\n猫头鹰。\n"


@pytest.mark.parametrize("bad", [b"\xff", b"\x80", b"\xe9", b"\xc3", b"\xf0\x9f"])
@given(data=st.data())
def test_a_wrong_byte_costs_one_character(bad: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(UTF8)))
    before, after = UTF8[:place], UTF8[place:]
    assert decode(before.encode() + bad + after.encode()) == f"{before}\ufffd{after}"


def test_a_byte_order_mark_before_a_damaged_text() -> None:
    assert decode(b"\xef\xbb\xbf" + "Größe ".encode() + b"\xff") == "Größe \ufffd"


@pytest.mark.parametrize("text", [UTF8, "An owl costs 5 €", "Only here: 猫"])
@pytest.mark.parametrize("cut", [1, 2])
def test_a_text_cut_within_its_last_character(text: str, cut: int) -> None:
    whole = text.rstrip() + "猫"
    assert decode(whole.encode()[:-cut]) == whole[:-1] + "\ufffd"


def test_lines_in_latin_1_among_utf_8() -> None:
    data = (
        "Eine Eule heißt Größe.\n".encode() * 20 + "Schöne Grüße aus Köln.\n".encode("latin-1") + "Größer.\n".encode()
    )
    assert decode(data) == "Eine Eule heißt Größe.\n" * 20 + "Schöne Grüße aus Köln.\nGrößer.\n"


def test_odd_bytes_at_the_end_of_utf_16() -> None:
    assert decode(b"\xff\xfe" + "Größe".encode("utf-16-le") + b"\x41") == "Größe\ufffd"


@given(st.binary(max_size=200))
def test_nothing_breaks_it_and_what_it_gives_can_be_stored(data: bytes) -> None:
    text = decode(data)
    if text is not None:
        text.encode()
        assert "\0" not in text


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=40))
def test_what_is_utf_8_is_read_as_that(text: str) -> None:
    text = text.removeprefix("\ufeff")
    if not any(mark in text for mark in ("~{", "\x1b")):
        assert decode(text.encode()) == text


def test_halves_of_characters() -> None:
    assert clean("a\ud83d\ude00b\ud83dc\0d") == "a\U0001f600b\ufffdcd"


# What says in which encoding it is.


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("windows-1252", "cp1252"),
        ("iso-8859-1", "cp1252"),
        ("gb2312", "gb18030"),
        ("Shift_JIS", "cp932"),
        ("x-unknown", "cp1252"),
    ],
)
def test_a_page_says_its_encoding(declared: str, encoding: str) -> None:
    text = {"gb18030": "猫头鹰 䶮", "cp932": "①フクロウ"}.get(encoding, "„Größe“ 5 €")
    page = f'<html><head><meta charset="{declared}"></head><body><p>{text}</p></body></html>'
    assert html_reading.read_page(page.encode(encoding)).text == text


@pytest.mark.parametrize("declared", ["utf-8", "windows-1252", "big5", "utf-16", "unicode_escape", "base64"])
def test_a_page_that_says_it_wrongly(declared: str) -> None:
    text = TEXTS["Russian"].strip().replace("\n", " ")
    page = f'<?xml version="1.0" encoding="{declared}"?><html><body><p>{text}</p></body></html>'
    assert html_reading.read_page(page.encode("cp1251")).text == text
    assert html_reading.read_page(page.encode()).text == text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"Heat to 180\xb0C.\nBake it.\nEat it.\n", "Heat to 180°C.\nBake it.\nEat it.\n"),
        (b"Temp 20\xb0C today\nwind 5 m/s\nrain\n", "Temp 20°C today\nwind 5 m/s\nrain\n"),
        (b"5 \xb5m wide\nok\nok\n", "5 µm wide\nok\nok\n"),
        (b"Don\x92t go.\nIt is late.\nBye\n", "Don’t go.\nIt is late.\nBye\n"),
        (b"\xa35m paid\nok\nok\n", "£5m paid\nok\nok\n"),
        (b"the caf\xe9 is\nclosed\ntoday\n", "the café is\nclosed\ntoday\n"),
        (b"Temp 20\x00C today\nwind 5 m/s\nrain\n", "Temp 20C today\nwind 5 m/s\nrain\n"),
        (b"@", "@"),
        ("@\xa0".encode(), "@\xa0"),
        (b"@@@ @@\n", "@@@ @@\n"),
        ("2024年1月5日\nab\nc\n".encode("cp932"), "2024年1月5日\nab\nc\n"),
        ("Owl\nBarn\nMice\n".encode("utf-16-le"), "Owl\nBarn\nMice\n"),
    ],
)
def test_one_odd_byte_in_three_lines(data: bytes, text: str) -> None:
    assert decode(data) == text
