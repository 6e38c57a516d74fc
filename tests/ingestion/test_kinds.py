"""What a file is by its name, and by its first bytes."""

import pytest

from tests.ingestion import samples
from workers.ingestion import signatures
from workers.ingestion.kinds import kind_of
from workers.ingestion.parsed import Unparsable

#: Those that OpenAI lists (contract, section 9).
LISTED = (
    *(
        "c",
        "cpp",
        "cs",
        "css",
        "doc",
        "docx",
        "go",
        "html",
        "java",
        "js",
        "json",
        "md",
        "pdf",
        "php",
        "pptx",
        "py",
        "rb",
    ),
    *("sh", "tex", "ts", "txt"),
)


@pytest.mark.parametrize("extension", LISTED)
def test_all_of_openai_s_list_are_taken(extension: str) -> None:
    assert kind_of(f"a file.{extension}") in {"text", extension}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("report.PDF", "pdf"),
        ("a.b.docx", "docx"),
        ("C:\\Users\\me\\talk.PPTX", "pptx"),
        ("prices.xlsx", "xlsx"),
        ("page.htm", "html"),
        ("rows.csv", "text"),
        ("data.jsonl", "text"),
        ("Zürich 🦉.md", "text"),
        ("README", "unknown"),
        (".gitignore", "unknown"),
        ("trailing.", "unknown"),
        ("what.ever", "unknown"),
        ("../../etc/passwd", "unknown"),
        ("", "unknown"),
    ],
)
def test_kinds(name: str, kind: str) -> None:
    assert kind_of(name) == kind


@pytest.mark.parametrize("name", ["owl.png", "owl.JPEG", "song.mp3", "film.mp4", "all.tar.gz", "setup.exe", "a.sqlite"])
def test_what_has_no_text_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(Unparsable, match="are not supported") as caught:
        kind_of(name)
    assert caught.value.code == "unsupported_file"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (samples.pdf(["x"]), "pdf"),
        (b"rubbish\n" + samples.pdf(["x"]), "pdf"),
        (samples.docx(["x"]), "docx"),
        (samples.pptx(["x"]), "pptx"),
        (samples.xlsx([["x"]]), "xlsx"),
        (samples.odt(["x"]), "odt"),
        (samples.epub(["x"]), "epub"),
        (samples.rtf(["x"]), "rtf"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html><p>", "html"),
        (b"<?xml version='1.0'?><!-- a --><html>", "html"),
        (b"<?xml version='1.0'?><owl/>", None),
        (samples.archive({"a.txt": "x"}), None),
        (b"PK\x03\x04 is how archives begin", None),
        (b"a text about <html>", None),
        (b"", None),
    ],
)
def test_formats_by_content(data: bytes, found: str | None) -> None:
    assert signatures.format_of(data) == found


def test_what_content_looks_like() -> None:
    assert signatures.looks_like(samples.PNG) == "a PNG image"
    assert signatures.looks_like(samples.PROGRAM) == "a program"
    assert signatures.looks_like(samples.archive({"a.txt": "x"})) == "a ZIP archive"
    assert signatures.looks_like(samples.pdf(["x"])) == "a PDF document"
    assert signatures.looks_like(b"plain words") is None
