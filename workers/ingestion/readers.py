"""The readers of documents, each with libraries of its own."""

import contextlib
import email.mime
import encodings
import importlib
import pkgutil
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from struct import error as StructError  # noqa: N812 - as a class is named
from typing import Final
from xml.etree.ElementTree import ParseError

from workers.ingestion import office_archives, signatures, text_decoding
from workers.ingestion.parsed import ParsedFile

Reader = Callable[[bytes], ParsedFile]

#: What reading raises where a document is not made as its format asks.
_BROKEN: Final = (
    *(zipfile.BadZipFile, zlib.error, ParseError, EOFError, LookupError, NotImplementedError, OSError, OverflowError),
    *(RecursionError, RuntimeError, StructError, TypeError, ValueError),
)


#: Packages that load their modules when they are wanted.
_LOADS_LATER: Final = (email, email.mime, encodings)

#: The kinds of documents that there are readers for; some have no file name of their own.
KINDS: Final = (
    "doc",
    "docx",
    "eml",
    "epub",
    "flat_odf",
    "html",
    "mhtml",
    "odp",
    "ods",
    "odt",
    "pdf",
    "pptx",
    "rtf",
    "xls",
    "xlsx",
    "xml_sheets",
    "xml_words",
)

#: Of a kind that has been loaded: the reader, or why there is none.
_loaded: dict[str, Reader | Exception] = {}


def prepare() -> None:
    """Loads all readers and encodings, so that nothing is left to be opened or loaded when a file is read.

    What cannot be loaded here is raised by `load`, when it is asked for.
    """
    for kind in KINDS:
        try:
            _loaded[kind] = _load(kind)
        except (ImportError, OSError) as error:
            _loaded[kind] = error
    for package in _LOADS_LATER:
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            # Some are of other systems.
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)
    # The tables that encodings are guessed by are made when they are first used.
    text_decoding.decode("Größe".encode("latin-1"))


def load(kind: str) -> Reader:
    """The reader of documents of `kind`, of KINDS. It raises Unparsable.

    It opens no file, and loads no library, while it reads. Raises ImportError or OSError where the reader itself, or a
    library that it needs, cannot be loaded.
    """
    found = _loaded.get(kind) or _load(kind)
    if isinstance(found, Exception):
        raise found
    return found


def _load(kind: str) -> Reader:  # noqa: PLR0911 - one for each
    if kind in {"html", "mhtml"}:
        from workers.ingestion import html_reading  # noqa: PLC0415

        return html_reading.read_page if kind == "html" else partial(_guarded, kind, html_reading.read_archive)
    if kind == "eml":
        # What is attached may be of any kind.
        from workers.ingestion import eml_reading  # noqa: PLC0415

        return partial(_guarded, kind, eml_reading.read)
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
    if kind in {"flat_odf", "odp", "ods", "odt"}:
        from workers.ingestion import odf_reading, ods_reading  # noqa: PLC0415

        whole = ods_reading.read if kind == "ods" else odf_reading.read
        return partial(_guarded, kind, odf_reading.read_flat if kind == "flat_odf" else whole)
    if kind in {"epub", "rtf"}:
        from workers.ingestion import epub_reading, rtf_reading  # noqa: PLC0415

        return partial(_guarded, kind, epub_reading.read if kind == "epub" else rtf_reading.read)
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
