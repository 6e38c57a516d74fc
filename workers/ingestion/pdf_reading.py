"""From a PDF document to the text of its pages, by pdfium.

The library is loaded from its package, writes nothing, and reads what the process holds in memory.
"""

import contextlib
import ctypes
import re
from collections.abc import Iterator
from typing import Any, Final

import pypdfium2
import pypdfium2.raw as pdfium

from workers.ingestion import pages, pdf_annotations, signatures
from workers.ingestion.parsed import ParsedFile, Unparsable

#: What pdfium puts where a word is divided at the end of a line; the parts follow each other.
_DIVIDED: Final = "\ufffe"
_DIVIDED_WORD: Final = re.compile(r"(\w*)\ufffe(\w*)")

#: Characters with which a text goes on where its hyphen belongs to the word ("COVID-19", "Smith-Jones").
_AFTER_A_HYPHEN: Final = re.compile(r"[A-Z\d]")

#: Of glyphs that a font gives no meaning.
_LONE_CR: Final = re.compile(r"\r(?!\n)")


def read(data: bytes) -> ParsedFile:
    """The pages, one under the other, and where each begins. Raises Unparsable where a page cannot be read."""
    document = _open(data)
    with document:
        forms = document.get_formtype() != pdfium.FORMTYPE_NONE
        if forms:
            document.init_forms()
        return pages.together(_undivided([_page(document, number) for number in range(len(document))]))


def _open(data: bytes) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code in {pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY}:
            raise signatures.protected() from error
        raise signatures.damaged("pdf") from error


def _page(document: pypdfium2.PdfDocument, number: int) -> str:
    try:
        page = document[number]
        text = page.get_textpage()
    except pypdfium2.PdfiumError as error:
        raise Unparsable("invalid_file", f"The file is damaged: its page {number + 1} cannot be read.") from error
    with contextlib.closing(page), contextlib.closing(text):
        annotations = pdf_annotations.of(page)
        fields = [found for found in annotations if found.is_field]
        content = pdf_annotations.with_fields(_characters(text), fields) if fields else _text(text)
        notes = [found.text for found in annotations if not found.is_field]
    return "\n\n".join([_LONE_CR.sub(" ", content), *notes])


def _text(page: pypdfium2.PdfTextPage) -> str:
    """All of it, also what lies beyond the page's edges."""
    count = page.count_chars()
    if count <= 0:
        return ""
    buffer = (ctypes.c_ushort * (2 * count + 2))()  # a character may be a pair
    written = pdfium.FPDFText_GetText(page, 0, count, buffer)
    return bytes(buffer)[: 2 * max(0, written - 1)].decode("utf-16-le", "replace")


def _characters(page: pypdfium2.PdfTextPage) -> Iterator[pdf_annotations.Character]:
    """Each character with its place on the page."""
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    for index in range(page.count_chars()):
        code = pdfium.FPDFText_GetUnicode(page, index)
        box: Any = None
        if not pdfium.FPDFText_IsGenerated(page, index) and pdfium.FPDFText_GetCharBox(
            page, index, left, right, bottom, top
        ):
            box = pdf_annotations.Box(left.value, bottom.value, right.value, top.value)
        if pdfium.FPDFText_IsHyphen(page, index) == 1:
            code = ord(_DIVIDED)
        yield pdf_annotations.Character(chr(code) if code <= 0x10FFFF else "\ufffd", box)


def _undivided(texts: list[str]) -> list[str]:
    """The pages with their divided words put together, with the hyphen where it is part of the word.

    It is if the document has the word with a hyphen elsewhere, or if what follows is no small letter.
    """
    if not any(_DIVIDED in text for text in texts):
        return texts
    whole = "\n".join(texts)
    compounds = {word.lower() for word in re.findall(r"\w+-\w+", whole)}

    def joined(match: re.Match[str]) -> str:
        before, after = match.groups()
        hyphened = f"{before}-{after}"
        keeps = not before or not after or hyphened.lower() in compounds or _AFTER_A_HYPHEN.match(after)
        return hyphened if keeps else before + after

    return [_DIVIDED_WORD.sub(joined, text) for text in texts]
