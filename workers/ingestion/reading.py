"""From the bytes of a file to its text, by whichever reader its kind asks for. For the parser's process."""

from typing import Final

from app import tokens
from workers.ingestion import foreign_formats, office_archives, readers, signatures, text_decoding
from workers.ingestion.kinds import TEXT, UNKNOWN
from workers.ingestion.parsed import MAX_ENCODED_BYTES, MAX_TEXT_BYTES, ParsedFile, Unparsable, too_long

#: Names that programs have always given to texts, pages and tables, so that Word or Excel opens them; these read them.
_TAKE_ALL: Final = frozenset({"doc", "rtf", "xls"})

#: Names that only documents of the kind should have; pages and the like are found under them too.
_ZIPPED: Final = frozenset({"docx", "pptx", "xlsx", "odp", "ods", "odt", "epub"})
_MARKUP: Final = frozenset({"html", "mhtml", "rtf", "xml_sheets", "xml_words", "flat_odf"})


def read(data: bytes, kind: str) -> ParsedFile:
    """The text of a file of `kind`, as `kinds.kind_of` gives it. Raises Unparsable where there is none."""
    if not data:
        raise Unparsable("invalid_file", "The file is empty.")
    kind = _actual(data, kind)
    parsed = ParsedFile(_read_text(data, kind)) if kind in {TEXT, UNKNOWN} else readers.load(kind)(data)
    if not parsed.text.strip():
        raise Unparsable("invalid_file", _no_text(kind))
    # Its tokens are counted by whoever has had it read: the vocabulary takes more memory than all readers.
    if tokens.at_most(parsed.text) > MAX_TEXT_BYTES:
        raise too_long()
    return parsed


def _actual(data: bytes, kind: str) -> str:
    """The kind whose reader is to read a file of this name. Raises Unparsable where the file is none such."""
    if kind == TEXT:
        return TEXT
    if signatures.is_encrypted(data):
        raise signatures.protected()
    found = signatures.format_of(data) if kind == UNKNOWN else signatures.disguised_format_of(data)
    foreign = None if found else signatures.foreign_format_of(data)
    if foreign:
        raise foreign_formats.refused(foreign)
    if kind == UNKNOWN:
        return found or UNKNOWN
    return _document(data, kind, found)


def _document(data: bytes, kind: str, found: str | None) -> str:
    """The kind of a document of this name whose content looks like `found`."""
    named = found == "pdf" and not data.startswith(b"%PDF-")  # by a text that speaks of one
    if kind == "html" or (kind == "eml" and (named or found in {None, "html", "mhtml"})):
        return "mhtml" if found == "mhtml" and kind == "html" else kind
    if found == kind or (found is not None and (kind in _TAKE_ALL or (kind in _ZIPPED and found in _MARKUP))):
        return found
    if found is None and kind in _TAKE_ALL and text_decoding.decode(data) is not None:
        return TEXT
    if found is None and kind in office_archives.ARCHIVES and data.startswith(b"PK\x03\x04"):
        return kind  # and told to be damaged
    raise signatures.mismatch(data, kind)


def _read_text(data: bytes, kind: str) -> str:
    if len(data) > MAX_ENCODED_BYTES:
        raise too_long()
    # A PDF may well have no byte that is not text.
    text = None if signatures.format_of(data) == "pdf" else text_decoding.decode(data)
    if text is not None:
        return text
    if kind == UNKNOWN:
        found = signatures.looks_like(data) or "binary data"
        raise Unparsable("unsupported_file", f"The type of the file is not supported: it looks like {found}.")
    raise signatures.mismatch(data, kind)


def _no_text(kind: str) -> str:
    if kind == "pdf":
        return "The PDF document has no text: its pages seem to be images. Recognise their text (OCR) and try again."
    return "There is no text in the file."
