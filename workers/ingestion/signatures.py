"""What a file is by its first bytes, whatever its name says."""

import codecs
import contextlib
import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from workers.ingestion import compound_files, foreign_formats
from workers.ingestion.compound_files import SIGNATURE as COMPOUND_FILE
from workers.ingestion.parsed import Unparsable

# Formats that parsers are chosen by, and their names in sentences.
NAMES: Final = {
    "doc": "a Word document (.doc)",
    "docx": "a Word document (.docx)",
    "eml": "an e-mail",
    "epub": "an EPUB book",
    "html": "an HTML page",
    "mhtml": "a web archive (MHTML)",
    "flat_odf": "an OpenDocument file of XML",
    "odp": "an OpenDocument presentation",
    "ods": "an OpenDocument spreadsheet",
    "odt": "an OpenDocument text",
    "pdf": "a PDF document",
    "pptx": "a PowerPoint presentation (.pptx)",
    "rtf": "an RTF document",
    "xls": "an Excel workbook (.xls)",
    "xlsx": "an Excel workbook (.xlsx)",
    "xml_sheets": "an Excel workbook (XML of 2003)",
    "xml_words": "a Word document (XML of 2003)",
}

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

_HTML: Final = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*|<!--.*?-->\s*|<!doctype\s+html[^>]*>\s*)*<(?:!doctype\s+html|html|head|body)\b",
    re.I | re.S,
)
#: What programs begin with that write a page and give it the name of an Office document.
_HTML_PART: Final = re.compile(
    rb"\s*(?:<!--.*?-->\s*)*<(?:meta|title|style|table|div|span|p|h[1-6]|center|font|b|br|link|script)\b[^>]*>",
    re.I | re.S,
)
_XML: Final = re.compile(rb"\s*<\?xml\b")

#: Spreadsheets and texts of Office 2003, which are one file of XML.
_SHEETS_OF_2003: Final = b"urn:schemas-microsoft-com:office:spreadsheet"
_WORDS_OF_2003: Final = b"http://schemas.microsoft.com/office/word/2003/wordml"

#: A document of OpenDocument that is one file of XML.
_FLAT_ODF: Final = re.compile(rb"<office:document\b[^>]*office:mimetype", re.S)

#: A page with all that belongs to it, as a browser or Office saves it: a message of several parts.
_MHTML: Final = re.compile(
    rb"(?:[A-Za-z-]+:.*\r?\n(?:[ \t].*\r?\n)*)*?Content-Type:\s*(?:multipart/related|text/html)", re.I
)

#: The streams that tell what an older Office document is, in lower case.
_STREAMS: Final = {"worddocument": "doc", "workbook": "xls", "book": "xls"}

#: Where an encrypted document newer than Office 2003 is kept, and where one is of which a server holds the key.
_ENCRYPTED: Final = frozenset({"encryptedpackage", "\tdrmcontent"})

#: The first record of a workbook of Excel 2 to 4, which is in no compound file.
_OLD_SHEETS: Final = (b"\x09\0\x04\0", b"\x09\x02\x06\0", b"\x09\x04\x06\0", b"\x09\x08\x08\0", b"\x09\x08\x10\0")

_BYTE_ORDER_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))

#: The folder that tells what an Office document is.
_OFFICE_FOLDERS: Final = (("docx", "word/"), ("pptx", "ppt/"), ("xlsx", "xl/"))

_MIMETYPES: Final = {
    b"application/vnd.oasis.opendocument.text": "odt",
    b"application/vnd.oasis.opendocument.text-template": "odt",
    b"application/vnd.oasis.opendocument.spreadsheet": "ods",
    b"application/vnd.oasis.opendocument.spreadsheet-template": "ods",
    b"application/vnd.oasis.opendocument.presentation": "odp",
    b"application/vnd.oasis.opendocument.presentation-template": "odp",
    b"application/epub+zip": "epub",
}


def looks_like(data: bytes) -> str | None:
    """What the content is, in words for a sentence ("a PNG image"); None where it may be text."""
    known = NAMES.get(format_of(data) or "")
    if known:
        return known
    if foreign := foreign_format_of(data):
        return foreign_formats.name_of(foreign)
    if data[4:8] == b"ftyp":
        return "a video"
    found = next((name for prefix, name in _BINARY if data.startswith(prefix)), None)
    return found or ("a text in EBCDIC, which is to be converted to UTF-8" if is_ebcdic(data) else None)


def is_ebcdic(data: bytes) -> bool:
    """Whether `data` is a text of a mainframe: in the encodings of IBM, letters stand where others have no ASCII."""
    sample = data[:65536]
    if not sample or sample.count(b" ") * 50 > len(sample) or sample.count(b"@") * 50 < len(sample):
        return False  # where others have the blank, it has a control character; its blank is their @
    with contextlib.suppress(UnicodeDecodeError):
        codecs.getincrementaldecoder("utf-8")().decode(sample)  # which may be cut within a character
        return False
    text = sample.decode("cp037")
    if 3 * sum(character.isalnum() for character in text) < len(text):
        return False
    words = sum(character.isalnum() or character in " .,;:()-'/&*" for character in text)
    ascii_ = sum(byte < 0x80 and chr(byte).isalnum() for byte in sample)
    return words > 0.8 * len(sample) and ascii_ < 0.2 * len(sample)


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
    """The format of a document that begins so unmistakably, of `NAMES`."""
    if b"%PDF-" in data[:1024]:  # as readers of PDF do: a little rubbish before it is common
        return "pdf"
    if data.startswith(b"{\\rtf"):
        return "rtf"
    if data.startswith(b"PK\x03\x04"):
        return _format_of_archive(data)
    if data.startswith(COMPOUND_FILE):
        names = compound_files.names_in(data)
        # The file of another program may have such a stream, too.
        return None if names & foreign_formats.STREAMS.keys() else _first(_STREAMS, names)
    if data.startswith(_OLD_SHEETS):
        return "xls"
    return "html" if _HTML.match(_head(data)) else None


def foreign_format_of(data: bytes) -> str | None:
    """The format of a document that is known and not read, of `foreign_formats`."""
    if data.startswith(COMPOUND_FILE):
        return _first(foreign_formats.STREAMS, compound_files.names_in(data))
    if data.startswith(b"PK\x03\x04"):
        names, mimetype = _parts(data)
        found = next(
            (kind for part, kind in foreign_formats.PARTS if any(name.startswith(part) for name in names)), None
        )
        return foreign_formats.MIMETYPES.get(mimetype) or found
    return next((kind for prefix, kind in foreign_formats.BEGINNINGS if data.startswith(prefix)), None)


def is_encrypted(data: bytes) -> bool:
    """Whether a compound file is an encrypted document of the newer formats, or one of which a server has the key."""
    return data.startswith(COMPOUND_FILE) and not _ENCRYPTED.isdisjoint(compound_files.names_in(data))


def disguised_format_of(data: bytes) -> str | None:
    """The format of what many programs have given the name of an Office document; None where it is none of `NAMES`."""
    head = _head(data)
    if _XML.match(head):
        if _SHEETS_OF_2003 in head:
            return "xml_sheets"
        if _WORDS_OF_2003 in head:
            return "xml_words"
        if _FLAT_ODF.search(head):
            return "flat_odf"
    if _MHTML.match(head):
        return "mhtml"
    return "html" if _HTML_PART.match(head) else format_of(data)


def _head(data: bytes) -> bytes:
    """The first few kilobytes, in UTF-8 where a mark says how they are encoded."""
    head = data[:4096]
    for mark, encoding in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return head[len(mark) :].decode(encoding, "ignore").encode()
    return head


def _format_of_archive(data: bytes) -> str | None:
    names, mimetype = _parts(data)
    if mimetype:
        return _MIMETYPES.get(mimetype)
    if foreign_format_of(data):
        return None
    return next((kind for kind, folder in _OFFICE_FOLDERS if any(name.startswith(folder) for name in names)), None)


def _parts(data: bytes) -> tuple[list[str], bytes]:
    """The names of an archive's parts, and the type that it says it has; nothing where it is broken."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            says = "mimetype" in names and archive.getinfo("mimetype").file_size < 256
            return [name.replace("\\", "/").lstrip("/") for name in names], (
                archive.read("mimetype").strip() if says else b""
            )
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, ValueError, EOFError):
        return [], b""


def _first(known: Mapping[str, str], names: AbstractSet[str]) -> str | None:
    return next((kind for name, kind in known.items() if name in names), None)
