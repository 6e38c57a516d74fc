"""What is read from RTF documents, OpenDocument texts, EPUB books and older Word documents."""

from pathlib import Path

import pytest

from tests.ingestion import samples
from tests.ingestion.test_parsing import read, refusal

FONTS = rb"{\fonttbl{\f0\fswiss\fcharset0 Arial;}{\f1\fcharset204 Arial CYR;}{\f2\fcharset128 MS Mincho;}}"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (rb"Stra\'dfe", "Straße"),
        (rb"{\f1 \'d1\'ee\'e2\'e0} and \f0 \'e9", "Сова and é"),
        (rb"{\f2 \'83t\'83\'4e}", "フク"),
        (rb"\u8364?5 \uc2\u233\'c3\'a9!", "€5 é!"),
        (rb"\u-10179?\u-8704?", "\N{GRINNING FACE}"),
        (rb"left\tab right\line next", "left\tright\nnext"),
        (rb"one\page two\par three", "one\n\ntwo\n\nthree"),
        (rb"ten\_year un\-able a\~b", "ten-year unable a b"),
        (rb"\{x\} \\ \emdash  \lquote y\rquote", "{x} \\ — ‘y’"),
        (rb"{\*\unknown gone}{\deleted gone}{\v gone}{\info{\title gone}}kept", "kept"),
        (rb"{\pict\pngblip 89504e47}{\pict\bin4 }{\\x}after", "after"),
        (rb'{\field{\*\fldinst HYPERLINK "https://x.example"}{\fldrslt our owls}}', "our owls"),
        (rb"{\upr{\'3f}{\*\ud{\u1057?}}}", "С"),
        (rb"Note{\footnote\pard Seen.}\par Next", "Note\n\n[Note: Seen.]\n\nNext"),
        (rb"Said{\*\atnauthor A}{\*\annotation Really?}\par Next", "Said\n\n[Comment: Really?]\n\nNext"),
        (rb"{\header Top\par}Body{\footer Foot\par}", "Top\n\nBody\n\nFoot"),
        (rb"Beside{\shp{\*\shpinst{\sp{\sn x}{\sv y}}{\shptxt In a box\par}}}", "Beside\n\nIn a box"),
        (
            (
                rb"Before\par\trowd\pard\intbl Owl\cell Weight\cell\row"
                rb"\pard\intbl Barn\par owl\cell 500\cell\row\pard After"
            ),
            "Before\n\n| Owl | Weight |\n| Barn owl | 500 |\nAfter",
        ),
    ],
)
async def test_rtf(tmp_path: Path, content: bytes, text: str) -> None:
    data = rb"{\rtf1\ansi\ansicpg1252\deff0" + FONTS + rb"\pard\f0 " + content + b"}"
    assert (await read(tmp_path, "a.rtf", data)).text == text


NOTE = (
    "<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>Seen.</text:p></text:note-body>"
    "</text:note>"
)
BOX = (
    "<draw:frame xmlns:draw='urn:oasis:names:tc:opendocument:xmlns:drawing:1.0'><draw:text-box><text:p>Boxed</text:p>"
    "</draw:text-box></draw:frame>"
)
LINK = "<text:a xmlns:xlink='http://www.w3.org/1999/xlink' xlink:href='https://x.example'>owls</text:a>"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("a<text:tab/>b<text:line-break/>c<text:s text:c='2'/>d", "a\tb\nc  d"),
        ("<text:span>sp<text:span>an</text:span>ned</text:span> on", "spanned on"),
        (f"Owl{NOTE} flies", "Owl[^1] flies\n\n[^1]: Seen."),
        ("Owl<office:annotation><text:p>Really?</text:p></office:annotation>s", "Owls\n\n[Comment: Really?]"),
        (f"Beside{BOX}", "Beside\n\nBoxed"),
        (f"our {LINK}", "our owls (https://x.example)"),
    ],
)
async def test_odt(tmp_path: Path, content: str, text: str) -> None:
    assert (await read(tmp_path, "a.odt", samples.odt([content]))).text == text


async def test_odt_headings_lists_tables_margins(tmp_path: Path) -> None:
    table = "xmlns:table='urn:oasis:names:tc:opendocument:xmlns:table:1.0'"
    body = (
        "x</text:p><text:h text:outline-level='2'>Owls</text:h>"
        "<text:list><text:list-item><text:p>one</text:p><text:list>"
        "<text:list-item><text:p>inner</text:p></text:list-item></text:list></text:list-item></text:list>"
        f"<table:table {table}><table:table-row><table:table-cell><text:p>a</text:p></table:table-cell>"
        "<table:table-cell><text:p>b</text:p></table:table-cell></table:table-row></table:table>"
        "<text:tracked-changes><text:p>deleted</text:p></text:tracked-changes><text:p>y"
    )
    style = "xmlns:style='urn:oasis:names:tc:opendocument:xmlns:style:1.0'"
    text_ = "xmlns:text='urn:oasis:names:tc:opendocument:xmlns:text:1.0'"
    margins = f"<x {style} {text_}><style:header><text:p>Top</text:p></style:header></x>"
    data = samples.with_part(samples.odt([body]), "styles.xml", margins)
    assert (await read(tmp_path, "a.odt", data)).text == (
        "Top\n\nx\n\n## Owls\n\n- one\n\n  - inner\n\n| a | b |\n| --- | --- |\n\ny"
    )


async def test_epub_keeps_the_order_of_its_spine(tmp_path: Path) -> None:
    data = samples.renamed(samples.epub(["One<br/>line", "Two"]), '<itemref idref="c0"/><itemref idref="c1"/>',
                           '<itemref idref="c1"/><itemref idref="c0"/>')  # fmt: skip
    assert (await read(tmp_path, "a.epub", data)).text == "Two\n\nOne\nline"


@pytest.mark.parametrize("wide", [False, True])
async def test_older_word_documents(tmp_path: Path, wide: bool) -> None:
    text = (
        "left\tright\x0bnext\x0cten\x1eyear un\x1fable\rsee \x13 HYPERLINK \x13 PAGE \x147\x15 \x14our page\x15!\r"
        "Owl\x07500 \x80\x07\x07".replace("\x80", "€")
    )
    data = samples.doc(text, notes="\x02Seen in 1999.\r", comments="\x05Really?\r", wide=wide)
    assert (await read(tmp_path, "a.doc", data)).text == (
        "left\tright\nnext\n\nten-year unable\n\nsee our page!\n\nOwl | 500 €\n\nSeen in 1999.\n\n[Comment: Really?]"
    )


async def test_characters_of_two_units_do_not_shift_what_follows(tmp_path: Path) -> None:
    data = samples.doc("\N{OWL}\N{OWL}s hunt.\r", notes="\x02Seen in 1999.\r", wide=True)
    assert (await read(tmp_path, "a.doc", data)).text == "\N{OWL}\N{OWL}s hunt.\n\nSeen in 1999."


RUSSIAN = "Сипуха охотится ночью и слышит мышей.\r"
JAPANESE = "メンフクロウは夜に狩りをし、ネズミの音を聞く。\r"
FRENCH = "L’été, la société française était là.\r"


@pytest.mark.parametrize("pieces", [False, True])
@pytest.mark.parametrize(
    ("text", "encoding", "mac"),
    [
        ("Barn owls hunt at night.\r", "cp1252", False),
        (FRENCH, "cp1252", False),
        (FRENCH, "mac_roman", True),
        (RUSSIAN, "cp1251", False),
        (JAPANESE, "cp932", False),
        (JAPANESE, "utf-16-le", False),
        ("Příliš žluťoučký kůň úpěl ďábelské ódy.\r", "cp1250", False),
    ],
)
async def test_documents_of_word_6_and_95(tmp_path: Path, text: str, encoding: str, mac: bool, pieces: bool) -> None:
    data = samples.doc_of_word_6(
        text, notes=f"\x02{text}", comments="\x05No?\r", encoding=encoding, mac=mac, pieces=pieces
    )
    shown = text.strip()
    assert (await read(tmp_path, "a.doc", data)).text == f"{shown}\n\n{shown}\n\n[Comment: No?]"


async def test_a_document_of_word_6_whose_text_is_cut_is_damaged(tmp_path: Path) -> None:
    data = bytearray(samples.doc_of_word_6("Barn owls.\r"))
    place = data.index(b"\xdc\xa5") + 0x34
    data[place : place + 4] = b"\xff\xff\0\0"
    assert "damaged" in (await refusal(tmp_path, "a.doc", bytes(data))).message


async def test_an_older_word_document_that_is_protected(tmp_path: Path) -> None:
    data = samples.doc("x" * 100)
    place = data.index(b"\xec\xa5\xc1\x00") + 10
    data = data[:place] + b"\0\x03" + data[place + 2 :]
    assert "protected by a password" in (await refusal(tmp_path, "a.doc", data)).message
