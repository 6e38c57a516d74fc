"""What a file is by its first bytes, whatever its name says."""

import io
import re
import zipfile
import zlib
from typing import Final

# Formats that parsers are chosen by, and their names in sentences.
NAMES: Final = {
    "doc": "Word document (.doc)",
    "docx": "Word document (.docx)",
    "epub": "EPUB book",
    "html": "HTML page",
    "odt": "OpenDocument text",
    "pdf": "PDF document",
    "pptx": "PowerPoint presentation (.pptx)",
    "rtf": "RTF document",
    "xls": "Excel workbook (.xls)",
    "xlsx": "Excel workbook (.xlsx)",
}

#: An older Office document, which keeps what it has in a file system of its own; also an encrypted newer one.
COMPOUND_FILE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_BINARY: Final = (
    (b"\x89PNG\r\n\x1a\n", "PNG image"),
    (b"\xff\xd8\xff", "JPEG image"),
    (b"GIF8", "GIF image"),
    (b"II*\0", "TIFF image"),
    (b"MM\0*", "TIFF image"),
    (b"\x7fELF", "program"),
    (b"MZ", "program"),
    (b"\xcf\xfa\xed\xfe", "program"),
    (b"\xca\xfe\xba\xbe", "program"),
    (b"\0asm", "program"),
    (b"\x1f\x8b", "gzip archive"),
    (b"BZh", "bzip2 archive"),
    (b"\xfd7zXZ\0", "xz archive"),
    (b"\x28\xb5\x2f\xfd", "zstd archive"),
    (b"7z\xbc\xaf\x27\x1c", "7z archive"),
    (b"Rar!\x1a\x07", "RAR archive"),
    (b"PK\x03\x04", "ZIP archive"),
    (COMPOUND_FILE, "older Office document"),
    (b"SQLite format 3\0", "SQLite database"),
    (b"PAR1", "Parquet file"),
    (b"OggS", "sound recording"),
    (b"ID3", "sound recording"),
    (b"fLaC", "sound recording"),
    (b"RIFF", "sound recording or video"),
    (b"\x1aE\xdf\xa3", "video"),
    (b"%PDF-", NAMES["pdf"]),
    (b"{\\rtf", NAMES["rtf"]),
)

_HTML: Final = re.compile(rb"\s*(?:<\?xml[^>]*>\s*|<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)

#: The folder that tells what an Office document is.
_OFFICE_FOLDERS: Final = (("docx", "word/"), ("pptx", "ppt/"), ("xlsx", "xl/"))

_MIMETYPES: Final = {
    b"application/vnd.oasis.opendocument.text": "odt",
    b"application/epub+zip": "epub",
}


def looks_like(data: bytes) -> str | None:
    """What the content is, in words for a sentence ("PNG image"); None where it may be text."""
    known = NAMES.get(format_of(data) or "")
    if known:
        return known
    if data[4:8] == b"ftyp":
        return "video"
    return next((name for prefix, name in _BINARY if data.startswith(prefix)), None)


def format_of(data: bytes) -> str | None:
    """The format of a document that begins so unmistakably (of `NAMES`, but for .doc and .xls)."""
    if b"%PDF-" in data[:1024]:  # as readers of PDF do: a little rubbish before it is common
        return "pdf"
    if data.startswith(b"{\\rtf"):
        return "rtf"
    if data.startswith(b"PK\x03\x04"):
        return _format_of_archive(data)
    return "html" if _HTML.match(data[:4096].removeprefix(b"\xef\xbb\xbf")) else None


def _format_of_archive(data: bytes) -> str | None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if "mimetype" in names and archive.getinfo("mimetype").file_size < 256:
                return _MIMETYPES.get(archive.read("mimetype").strip())
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, ValueError, EOFError):
        return None
    return next((kind for kind, folder in _OFFICE_FOLDERS if any(name.startswith(folder) for name in names)), None)
