"""What is read from PDF documents beside their plain text: forms, notes, divided words; and what is wrong with some."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.ingestion import samples
from tests.ingestion.test_parsing import read, refusal

CHECK = "/AP << /N << /Yes 6 0 R /Off 6 0 R >> >>"


def page(content: str, annotations: Sequence[str]) -> bytes:
    """A PDF of one page with this content, and these annotations, of which the widgets are the fields of a form."""
    numbers = range(7, 7 + len(annotations))
    fields = [number for number, body in zip(numbers, annotations, strict=True) if "/Widget" in body]
    return samples.pdf_file(
        [
            f"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [{_references(fields)}] /DA (/F1 10 Tf) >> >>",
            "<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
            "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            f"<< /Type /Page /Parent 2 0 R {samples.PDF_PAGE} /Contents 5 0 R /Annots [{_references(numbers)}] >>",
            samples.pdf_stream(content),
            samples.pdf_stream("", "/Type /XObject /Subtype /Form /BBox [0 0 10 10]"),
            *(f"<< /Type /Annot {body} >>" for body in annotations),
        ]
    )


def _references(numbers: Sequence[int]) -> str:
    return " ".join(f"{number} 0 R" for number in numbers)


def line(text: str, x: int, y: int) -> str:
    """Text at a place on the page, in points from its lower left corner."""
    return f"BT /F1 10 Tf {x} {y} Td ({text}) Tj ET\n"


def widget(name: str, x: int, y: int, body: str) -> str:
    """A field of a form: 100 points wide, or a square to be ticked."""
    width = 14 if "/Btn" in body else 100
    return f"/Subtype /Widget /T ({name}) /Rect [{x} {y} {x + width} {y + 14}] {body}"


async def test_a_form_is_read_with_its_values_where_they_are_shown(tmp_path: Path) -> None:
    labels = (
        line("Given name:", 50, 700) + line("Family name:", 300, 700) + line("I agree", 70, 650)
        + line("Send news", 70, 620) + line("Country:", 50, 590) + line("The end", 50, 40)
    )  # fmt: skip
    fields = [
        widget("a", 130, 697, "/FT /Tx /V (Ada)"),
        widget("b", 400, 697, "/FT /Tx /V <FEFF004C00F60076D83DDE00>"),
        widget("c", 50, 647, f"/FT /Btn /V /Yes /AS /Yes {CHECK}"),
        widget("d", 50, 617, f"/FT /Btn /V /Off /AS /Off {CHECK}"),
        widget("e", 130, 587, "/FT /Ch /Ff 131072 /V (fi) /Opt [[(fi) (Finland)] [(no) (Norway)]]"),
        widget("alone", 400, 200, "/FT /Tx /V (Nobody near)"),
        widget("f", 400, 180, "/FT /Tx /TU (In words) /V (First\\rSecond)"),
        widget("g", 400, 160, "/FT /Tx /Ff 8192 /V (a password)"),
        widget("h", 400, 140, "/FT /Tx /F 2 /V (hidden)"),
        widget("i", 400, 120, "/FT /Tx"),
    ]
    text = (await read(tmp_path, "form.pdf", page(labels, fields))).text
    assert text == (
        "Given name: Ada Family name: Löv\N{GRINNING FACE}\n[x] I agree\n[ ] Send news\nCountry: Finland\nThe end\n"
        "alone: Nobody near\nIn words: First\nSecond"
    )


async def test_a_form_without_any_other_text_is_no_scan(tmp_path: Path) -> None:
    data = page("", [widget("Name", 130, 697, "/FT /Tx /V (Ada)")])
    assert (await read(tmp_path, "form.pdf", data)).text == "Name: Ada"


async def test_fields_whose_form_is_missing_are_read(tmp_path: Path) -> None:
    """As those of a page that a program has taken out of a document."""
    fields = [
        widget("a", 130, 697, "/FT /Tx /V (Ada)"),
        widget("c", 50, 647, f"/FT /Btn /AS /Yes {CHECK}"),
        widget("d", 50, 617, f"/FT /Btn /AS /Off {CHECK}"),
        widget("e", 400, 200, "/FT /Tx /TU (In words) /V (First)"),
        widget("g", 400, 160, "/FT /Tx /Ff 8192 /V (a password)"),
        widget("h", 400, 140, "/FT /Tx /F 2 /V (hidden)"),
        widget("press", 400, 100, "/FT /Btn /Ff 65536"),
    ]
    labels = line("Given name:", 50, 700) + line("I agree", 70, 650) + line("Send news", 70, 620)
    data = page(labels, fields).replace(b"/AcroForm", b"/AcroFern")
    assert (await read(tmp_path, "a.pdf", data)).text == "Given name: Ada\n[x] I agree\n[ ] Send news\nIn words: First"


async def test_notes_upon_pages_are_read(tmp_path: Path) -> None:
    notes = [
        "/Subtype /FreeText /Rect [50 600 200 620] /Contents (Written with a typewriter) /DA (/F1 10 Tf)",
        "/Subtype /Text /Rect [50 500 70 520] /Contents (Is this so?)",
        "/Subtype /Highlight /Rect [50 700 100 712] /Contents (Well said.) /QuadPoints [50 712 100 712 50 700 100 700]",
        "/Subtype /Link /Rect [50 400 70 420] /Contents (not shown)",
        "/Subtype /Text /F 2 /Rect [50 300 70 320] /Contents (hidden)",
    ]
    text = (await read(tmp_path, "notes.pdf", page(line("Owls", 50, 700), notes))).text
    assert text == "Owls\n\nWritten with a typewriter\n\nComment: Is this so?\n\nComment: Well said."


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["Owls eat manip-", "ulated mice and", "more."], "Owls eat manipulated mice and\nmore."),
        (["The self-test, a self-", "test of owls."], "The self-test, a self-test of owls."),
        (["It was COVID-", "19 again and", "again."], "It was COVID-19 again and\nagain."),
    ],
)
async def test_words_divided_at_the_ends_of_lines(tmp_path: Path, lines: list[str], text: str) -> None:
    assert " ".join((await read(tmp_path, "a.pdf", samples.pdf(["\n".join(lines)]))).text.split()) == " ".join(
        text.split()
    )


async def test_a_page_that_is_missing_is_told(tmp_path: Path) -> None:
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R 4 0 R] /Count 2 >>",
        f"<< /Type /Page /Parent 2 0 R {samples.PDF_PAGE} >>",
        "null",
    ]
    refused = await refusal(tmp_path, "a.pdf", samples.pdf_file(objects))
    assert (refused.code, refused.message) == (
        "invalid_file",
        "The file is damaged: its page 2 cannot be read.",
    )


async def test_what_stands_outside_the_page_is_read(tmp_path: Path) -> None:
    text = (await read(tmp_path, "a.pdf", page(line("On it", 50, 700) + line("Beside it", 50, 2000), []))).text
    assert "On it" in text
    assert "Beside it" in text
