"""Files of all kinds, and files made to do harm, through the process that parses them."""

import asyncio
import re
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from app.confinement import server
from app.confinement.warm import ENVIRONMENT, Warm
from app.settings import Settings
from tests.ingestion import samples
from workers.ingestion.kinds import kind_of
from workers.ingestion.parsed import ParsedFile, Unparsable
from workers.ingestion.parsing import WORK, Parser, ParserLost

warm = Warm(WORK)


async def read(tmp_path: Path, name: str, data: bytes, **limits: float) -> ParsedFile:
    """The file parsed as ingestion does it: stored under a name of our own."""
    path = tmp_path / "stored"
    path.write_bytes(data)
    return await parser(**limits).parse(path, kind_of(name))


def parser(**limits: float) -> Parser:
    """With the one warm process that all tests share, and limits of its own."""
    return Parser(Settings().model_copy(update=limits), warm)


async def refusal(tmp_path: Path, name: str, data: bytes, **limits: float) -> Unparsable:
    with pytest.raises(Unparsable) as caught:
        await read(tmp_path, name, data, **limits)
    return caught.value


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """Each test's parsers have ended with it."""
    yield
    assert parsers() == []


def parsers() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [child for child in children if _name(child) == server.NAME.decode()]


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


async def under_way(tmp_path: Path, **limits: float) -> tuple[asyncio.Task[ParsedFile], psutil.Process]:
    """A file that takes a while, and the process that parses it."""
    task = asyncio.create_task(read(tmp_path, "a.pdf", samples.pdf(["x\n" * 60] * 6000), **limits))
    await asyncio.sleep(0)

    def process() -> psutil.Process:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if found := parsers():
                return found[0]
            time.sleep(0.01)
        raise AssertionError("no parser has started")

    return task, await asyncio.to_thread(process)


# Documents.


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.docx", samples.docx(["Barn owls hunt at night.", "They hear mice."])),
        ("a.odt", samples.odt(["Barn owls hunt at night.", "They hear mice."])),
        ("a.epub", samples.epub(["Barn owls hunt at night.", "They hear mice."])),
        ("a.rtf", samples.rtf(["Barn owls hunt at night.", "They hear mice."])),
        ("a.doc", samples.doc("Barn owls hunt at night.\r\rThey hear mice.\r")),
        ("a.pptx", samples.pptx(["Barn owls hunt at night.", "They hear mice."])),
        ("a.pdf", samples.pdf(["Barn owls hunt at night.", "They hear mice."])),
        ("no extension", samples.pdf(["Barn owls hunt at night.", "They hear mice."])),
        ("a.html", b"<p>Barn owls hunt at night.</p><p>They hear mice."),
    ],
)
async def test_paragraphs_of_documents(tmp_path: Path, name: str, data: bytes) -> None:
    parsed = await read(tmp_path, name, data)
    assert [line for line in parsed.text.splitlines() if line] == ["Barn owls hunt at night.", "They hear mice."]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.docx", samples.docx([], [["Owl", "Weight"], ["Barn owl", "500"]])),
        ("a.xlsx", samples.xlsx([["Owl", "Weight"], ["Barn owl", 500]], name="Birds")),
        ("a.xls", samples.xls([["Owl", "Weight"], ["Barn owl", "500"]])),
        ("a.html", b"<table><tr><th>Owl<th>Weight<tr><td>Barn owl<td>500</table>"),
    ],
)
async def test_rows_of_tables_are_lines(tmp_path: Path, name: str, data: bytes) -> None:
    lines = [line.strip("| ") for line in (await read(tmp_path, name, data)).text.splitlines()]
    assert "Owl | Weight" in lines
    assert "Barn owl | 500" in lines


@pytest.mark.parametrize("name", ["a.pdf", "a.pptx"])
async def test_pages_are_known(tmp_path: Path, name: str) -> None:
    pages = ["First of four.", "", "Third (with an accent \xe9).", "Last."]
    if name == "a.pdf":
        pages[2] = "Third."
    data = samples.pdf(pages) if name == "a.pdf" else samples.pptx(pages)
    parsed = await read(tmp_path, name, data)
    assert len(parsed.page_starts) == 4
    assert [parsed.text[start:].split("\n")[0] for start in parsed.page_starts] == [pages[0], pages[2], *pages[2:]]


async def test_html_keeps_what_is_for_readers(tmp_path: Path) -> None:
    page = """<!doctype html><html><head><title>Owls &amp; mice</title><meta name=description content="meta">
      <script>var secret = "<p>no</p>";</script><style>p { color: red }</style></head><body><h2>Food</h2>
      <ul><li>mice<ul><li>small <b>ones</b></ul><li>voles</ul><p>As a rule<br>at night.</p>
      <pre>one\n  two</pre><img alt="An owl" src="data:image/png;base64,AAAA"><![strange[ x ]]></body></html>"""
    text = (await read(tmp_path, "owls.html", page.encode())).text
    assert text == (
        "# Owls & mice\n\n## Food\n\n- mice\n\n  - small ones\n\n- voles\n\nAs a rule\nat night.\n\n"
        "```\none\n  two\n```\n\nAn owl"
    )


@pytest.mark.parametrize("tag", ["div", "p", "li", "table", "td", "b", "blockquote"])
async def test_html_loses_no_text_however_it_is_nested(tmp_path: Path, tag: str) -> None:
    page = "".join(f"<{tag}>word{number} " for number in range(500))
    text = (await read(tmp_path, "deep.html", page.encode())).text
    assert [word for word in text.split() if word.startswith("word")] == [f"word{number}" for number in range(500)]


async def test_html_in_its_declared_encoding(tmp_path: Path) -> None:
    page = "<meta charset=windows-1251><p>Сова</p>".encode("cp1251")
    assert (await read(tmp_path, "a.html", page)).text == "Сова"


# Texts.

GERMAN = "Die Größe der Eule überrascht viele Gäste, die früh am Morgen kommen.\n"
JAPANESE = "これは日本語の文章です。フクロウは夜に狩りをします。\n"
RUSSIAN = "Это русский текст о совах, которые охотятся ночью.\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        *((GERMAN, name) for name in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1")),
        ("He said “hello” – for 5 € more.\n", "cp1252"),
        *((JAPANESE, name) for name in ("utf-8", "utf-16", "shift-jis", "euc-jp", "iso2022-jp")),
        *((RUSSIAN, name) for name in ("cp1251", "koi8-r")),
        ("这是一个关于猫头鹰的中文句子。北京是中国的首都。\n", "gb18030"),
        ("這是一個關於貓頭鷹的句子。台北是台灣的首都。\n", "big5"),
        ("이것은 올빼미에 대한 한국어 문장입니다.\n", "euc-kr"),
        ("plain ascii\n", "ascii"),
    ],
)
async def test_encodings(tmp_path: Path, text: str, encoding: str) -> None:
    assert (await read(tmp_path, "owls.txt", text.encode(encoding))).text == text


async def test_a_line_of_another_encoding_in_much_ascii(tmp_path: Path) -> None:
    text = "plain = 1\n" * 50_000 + "name = Größe\n"
    assert (await read(tmp_path, "long.conf", text.encode("latin-1"))).text == text


async def test_a_few_wrong_bytes_do_not_spoil_utf8(tmp_path: Path) -> None:
    data = (GERMAN * 50).encode() + b"cut \xe2\x82"
    assert (await read(tmp_path, "cut.log", data)).text == GERMAN * 50 + "cut \ufffd"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '{"b":  [1,\t2],\r\n "a": null}'),
        ("a.csv", "owl,weight\r\nbarn owl,500\r\n"),
        ("a.py", "def hoot(times):\n\n\n    return '*' * times\n"),
        ("a.md", "# Owls\n\n\n* night\n"),
        ("unheard.of", "plain words\n"),
        ("a.txt", "<html>not taken for a page</html>"),
    ],
)
async def test_texts_are_kept_as_they_are(tmp_path: Path, name: str, text: str) -> None:
    assert (await read(tmp_path, name, text.encode())).text == text


async def test_control_characters_are_left_out(tmp_path: Path) -> None:
    assert (await read(tmp_path, "a.txt", b"owl\0s \x07at\x7f night\tand\x0cday" + b"." * 200)).text == (
        "owls at night\tand\x0cday" + "." * 200
    )


# What cannot be read.


@pytest.mark.parametrize(
    ("name", "data", "code", "message"),
    [
        ("a.txt", b"", "invalid_file", "The file is empty."),
        ("a.pdf", b"", "invalid_file", "The file is empty."),
        ("a.txt", b" \n\t\n", "invalid_file", "There is no text in the file."),
        ("a.docx", samples.docx([""]), "invalid_file", "There is no text in the file."),
        ("scan.pdf", samples.pdf(["", ""]), "invalid_file", "its pages seem to be images"),
        ("a.pdf", samples.pdf(["x"], password=True), "invalid_file", "protected by a password"),
        ("a.docx", samples.compound_file({"EncryptedPackage": b"x" * 5000}), "invalid_file", "protected by a password"),
        ("a.odt", samples.odt(["x"], encrypted=True), "invalid_file", "protected by a password"),
        ("a.docx", samples.doc("x"), "invalid_file", "it looks like a Word document (.doc)"),
        ("a.pdf", samples.pdf(["x"])[:200], "invalid_file", "The file is damaged"),
        ("a.docx", samples.docx(["x"])[:-30], "invalid_file", "The file is damaged"),
        ("a.pdf", samples.PNG, "invalid_file", "it looks like a PNG image"),
        ("a.pdf", b"<html><body>x</body></html>", "invalid_file", "it looks like an HTML page"),
        ("a.docx", samples.PROGRAM, "invalid_file", "it looks like a program"),
        ("a.docx", samples.xlsx([["x"]]), "invalid_file", "it looks like an Excel workbook"),
        ("a.txt", samples.PNG, "invalid_file", "it looks like a PNG image"),
        ("a.txt", samples.pdf(["x"]), "invalid_file", "it looks like a PDF document"),
        ("a.py", bytes(range(256)) * 20, "invalid_file", "By its name the file is a text"),
        ("a.html", samples.PNG, "invalid_file", "it looks like a PNG image"),
        ("photo", samples.PNG, "unsupported_file", "it looks like a PNG image"),
        ("a.dat", bytes(range(256)) * 20, "unsupported_file", "it looks like binary data"),
        ("all", samples.archive({"a.txt": "x"}), "unsupported_file", "it looks like a ZIP archive"),
    ],
)
async def test_refusals(tmp_path: Path, name: str, data: bytes, code: str, message: str) -> None:
    refused = await refusal(tmp_path, name, data)
    assert refused.code == code
    assert message in refused.message


async def test_external_entities_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    doctype = f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{secret}">]>'
    assert "hunter2" not in (await read(tmp_path, "a.docx", samples.docx(["owl &e; owl"], doctype=doctype))).text


async def test_a_bomb_is_refused_by_what_it_declares(tmp_path: Path) -> None:
    refused = await refusal(tmp_path, "a.docx", samples.docx(["A" * 150_000_000]))
    assert refused.code == "invalid_file"
    assert "The file is too large when it is unpacked: " in refused.message
    assert re.search(r"of at most [\d,]+\. Divide it", refused.message)


@pytest.mark.slow
async def test_a_bomb_that_lies_about_its_size_does_no_harm(tmp_path: Path) -> None:
    data = samples.docx(["A" * 150_000_000])
    true_size = next(size for size in range(150_000_000, 150_001_000) if struct.pack("<I", size) in data)
    lying = data.replace(struct.pack("<I", true_size), struct.pack("<I", 1000))
    refused = await refusal(tmp_path, "a.docx", lying, parser_memory_bytes=2**29)
    assert refused.code == "invalid_file"


@pytest.mark.slow
@pytest.mark.parametrize("size", [12_000_000, 25_000_000])  # beyond the tokens, and beyond the bytes
async def test_more_text_than_is_taken(tmp_path: Path, size: int) -> None:
    refused = await refusal(tmp_path, "long.txt", b"a b" * size)
    assert (refused.code, "too much text" in refused.message) == ("invalid_file", True)


@pytest.mark.slow
async def test_memory_is_limited(tmp_path: Path) -> None:
    rows = [[f"cell {row} {column}" for column in range(20)] for row in range(40_000)]
    refused = await refusal(tmp_path, "a.xlsx", samples.xlsx(rows), parser_memory_bytes=2**27)
    assert refused.code == "invalid_file"
    assert re.fullmatch(
        r"The file takes too much memory to be read: more than [\d,]+ MiB\. Divide it .*", refused.message
    )


@pytest.mark.slow
async def test_time_is_limited(tmp_path: Path) -> None:
    """Of the processor: a machine that is busy is not the file's fault."""
    refused = await refusal(tmp_path, "a.pdf", samples.pdf(["x\n" * 60] * 20_000), parser_seconds=0.3)
    assert refused.code == "invalid_file"
    assert re.fullmatch(
        r"The file takes too long to be read: more than [\d.]+ s of processor time\. Divide .*", refused.message
    )


async def test_a_cancelled_parse_takes_its_process_along(tmp_path: Path) -> None:
    task, _ = await under_way(tmp_path)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert parsers() == []


async def test_a_parser_that_is_killed_from_outside_is_not_the_file_s_fault(tmp_path: Path) -> None:
    task, process = await under_way(tmp_path)
    process.kill()
    with pytest.raises(ParserLost):
        await task


async def test_the_process_is_told_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCUM_BACKEND_API_KEY", "hunter2")
    task, process = await under_way(tmp_path)
    environment = process.environ()
    assert environment == ENVIRONMENT
    # Nor of folders that others could have put a library into.
    assert environment["HOME"] == environment["TMPDIR"] == "/nonexistent"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
