"""The readers of documents. Their libraries are loaded for the one kind that is asked for: most files are texts."""

import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from struct import error as StructError  # noqa: N812 - as a class is named
from typing import Final
from xml.etree.ElementTree import ParseError

from workers.ingestion import office_archives, signatures
from workers.ingestion.parsed import ParsedFile

Reader = Callable[[bytes], ParsedFile]

#: What reading raises where a document is not made as its format asks.
_BROKEN: Final = (
    *(zipfile.BadZipFile, zlib.error, ParseError, EOFError, LookupError, NotImplementedError, OSError, OverflowError),
    *(RecursionError, RuntimeError, StructError, TypeError, ValueError),
)


def load(kind: str) -> Reader:  # noqa: PLR0911 - one for each
    """The reader of documents of `kind`, of `signatures.NAMES`. It raises Unparsable.

    Everything that it needs is imported when this returns: it opens no file, and loads no library, while it reads.
    """
    if kind in {"html", "mhtml"}:
        from workers.ingestion import html_reading  # noqa: PLC0415

        return html_reading.read_page if kind == "html" else partial(_guarded, kind, html_reading.read_archive)
    if kind == "pdf":
        from workers.ingestion import pdf_reading  # noqa: PLC0415

        return pdf_reading.read
    if kind in {"docx", "xml_words"}:
        # An HTML page may be part of a document.
        from workers.ingestion import docx_reading, html_reading  # noqa: PLC0415

        return partial(_guarded, kind, docx_reading.read if kind == "docx" else docx_reading.read_xml)
    if kind in {"xlsx", "xml_sheets"}:
        from workers.ingestion import xlsx_reading, xml_sheets_reading  # noqa: PLC0415

        return partial(_guarded, kind, xlsx_reading.read if kind == "xlsx" else xml_sheets_reading.read)
    if kind in {"epub", "odt", "rtf"}:
        from workers.ingestion import epub_reading, odf_reading, rtf_reading  # noqa: PLC0415

        return partial(_guarded, kind, {"epub": epub_reading, "odt": odf_reading, "rtf": rtf_reading}[kind].read)
    if kind == "xls":
        from workers.ingestion import xls_reading  # noqa: PLC0415

        return partial(_guarded, kind, xls_reading.read)
    if kind == "doc":
        from workers.ingestion import doc_reading  # noqa: PLC0415

        return partial(_guarded, kind, doc_reading.read)
    from workers.ingestion import pptx_reading  # noqa: PLC0415

    return partial(_guarded, kind, pptx_reading.read)


def _guarded(kind: str, read: Reader, data: bytes) -> ParsedFile:
    if kind in office_archives.ARCHIVES:
        office_archives.check(data, kind)
    try:
        return read(data)
    except _BROKEN as error:
        raise signatures.damaged(kind) from error
