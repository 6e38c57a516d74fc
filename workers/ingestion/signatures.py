"""What a file is by its first bytes, whatever its name says."""

import io
import re
import zipfile
import zlib
from typing import Final

from workers.ingestion.parsed import Unparsable

# Formats that parsers are chosen by, and their names in sentences.
NAMES: Final = {
    "doc": "a Word document (.doc)",
    "docx": "a Word document (.docx)",
    "epub": "an EPUB book",
    "html": "an HTML page",
    "odt": "an OpenDocument text",
    "pdf": "a PDF document",
    "pptx": "a PowerPoint presentation (.pptx)",
    "rtf": "an RTF document",
    "xls": "an Excel workbook (.xls)",
    "xlsx": "an Excel workbook (.xlsx)",
}

#: An older Office document, which keeps what it has in a file system of its own; also an encrypted newer one.
COMPOUND_FILE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_BINARY: Final = (
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\xcf\xfa\xed\xfe", "a program"),
    (b"\xca\xfe\xba\xbe", "a program"),
    (b"\0asm", "a program"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "an RAR archive"),
    (b"PK\x03\x04", "a ZIP archive"),
    (COMPOUND_FILE, "an older Office document"),
    (b"SQLite format 3\0", "a SQLite database"),
    (b"PAR1", "a Parquet file"),
    (b"OggS", "a sound recording"),
    (b"ID3", "a sound recording"),
    (b"fLaC", "a sound recording"),
    (b"RIFF", "a sound recording or video"),
    (b"\x1aE\xdf\xa3", "a video"),
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
    """What the content is, in words for a sentence ("a PNG image"); None where it may be text."""
    known = NAMES.get(format_of(data) or "")
    if known:
        return known
    if data[4:8] == b"ftyp":
        return "a video"
    return next((name for prefix, name in _BINARY if data.startswith(prefix)), None)


def mismatch(data: bytes, kind: str) -> Unparsable:
    """A file that is not what its name says."""
    found = looks_like(data)
    name = NAMES.get(kind, "a text")
    instead = f"it looks like {found}" if found else "its content is something else"
    return Unparsable("invalid_file", f"By its name the file is {name}, but {instead}.")


def protected() -> Unparsable:
    """A file that asks for a password."""
    return Unparsable("invalid_file", "The file is protected by a password. Remove the protection and try again.")


def damaged(kind: str) -> Unparsable:
    """A file that begins like its kind, and cannot be read as it."""
    return Unparsable("invalid_file", f"The file is damaged: it cannot be read as {NAMES[kind]}.")


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
