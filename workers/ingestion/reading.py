"""From the bytes of a file to its text, by whichever reader its kind asks for. For the parser's process."""

from app import tokens
from workers.ingestion import readers, signatures, text_decoding
from workers.ingestion.kinds import TEXT, UNKNOWN
from workers.ingestion.parsed import MAX_TEXT_BYTES, MAX_TOKENS, ParsedFile, Unparsable, too_long

#: No encoding takes more bytes for a character of one byte in UTF-8 than UTF-32 does.
_MAX_ENCODED_BYTES = 4 * MAX_TEXT_BYTES


def read(data: bytes, kind: str) -> ParsedFile:
    """The text of a file of `kind`, as `kinds.kind_of` gives it. Raises Unparsable where there is none."""
    if not data:
        raise Unparsable("invalid_file", "The file is empty.")
    if kind == UNKNOWN:
        kind = signatures.format_of(data) or UNKNOWN
    parsed = _read(data, kind)
    if not parsed.text.strip():
        raise Unparsable("invalid_file", _no_text(kind))
    size = tokens.at_most(parsed.text)
    if size > MAX_TEXT_BYTES or (size > MAX_TOKENS and tokens.count(parsed.text) > MAX_TOKENS):
        raise too_long()
    return parsed


def _read(data: bytes, kind: str) -> ParsedFile:
    if kind in {TEXT, UNKNOWN, "html"}:
        return ParsedFile(_read_text(data, kind))
    if kind == "pdf" and signatures.format_of(data) != "pdf":
        raise signatures.mismatch(data, kind)
    return readers.load(kind)(data)


def _read_text(data: bytes, kind: str) -> str:
    if len(data) > _MAX_ENCODED_BYTES:
        raise too_long()
    text = None
    if kind == "html":
        from workers.ingestion import html_reading  # noqa: PLC0415 - as above

        text = html_reading.read(data)
    elif signatures.format_of(data) != "pdf":  # which may well have no byte that is not text
        text = text_decoding.decode(data)
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
