"""From the bytes of an Office document or an EPUB book to its text, mostly by the kreuzberg library.

Imported in the parser's process alone: what it does with a stranger's file is not let near anything else.
"""

import secrets
from typing import Final

from kreuzberg import (
    ConcurrencyConfig,
    ContentFilterConfig,
    ExtractionConfig,
    KreuzbergError,
    PageConfig,
    extract_bytes_sync,
)

from workers.ingestion import office_archives, signatures, text_decoding
from workers.ingestion.parsed import ParsedFile, Unparsable

_TYPES: Final = {
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "epub": "application/epub+zip",
    "odt": "application/vnd.oasis.opendocument.text",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "rtf": "application/rtf",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

_COMPOUND: Final = frozenset({"doc", "xls"})

# Markdown keeps headings and tables; it loses the speaker's notes of presentations.
_PLAIN: Final = frozenset({"pptx"})


def read(data: bytes, kind: str) -> ParsedFile:
    """The text of the document. Raises Unparsable where it is none of the kind, is damaged, or protected."""
    _check(data, kind)
    if kind not in _PLAIN:
        return ParsedFile(text_decoding.tidy(_extract(data, kind, "")))
    mark = secrets.token_hex(8)  # nothing that a document could say
    return _paged(_extract(data, kind, mark), mark)


def _check(data: bytes, kind: str) -> None:
    if kind in office_archives.ARCHIVES and data.startswith((b"PK", signatures.COMPOUND_FILE)):
        office_archives.check(data, kind)
    is_kind = data.startswith(signatures.COMPOUND_FILE) if kind in _COMPOUND else signatures.format_of(data) == kind
    if not is_kind:
        raise signatures.mismatch(data, kind)


def _extract(data: bytes, kind: str, mark: str) -> str:
    config = ExtractionConfig(
        use_cache=False,
        enable_quality_processing=False,  # it drops what it takes for rubbish
        output_format="plain" if kind in _PLAIN else "markdown",
        pages=PageConfig(insert_page_markers=True, marker_format=f"\n\n{mark}\n\n") if mark else None,
        content_filter=ContentFilterConfig(strip_repeating_text=False),
        concurrency=ConcurrencyConfig(max_threads=1),
    )
    try:
        return extract_bytes_sync(data, _TYPES[kind], config=config).content
    except (KreuzbergError, ValueError, RuntimeError, OSError) as error:
        raise _refusal(str(error), kind) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # how a panic of Rust arrives, beside Exception and with no class
            raise
        raise _refusal("", kind) from error


def _refusal(reason: str, kind: str) -> Unparsable:
    reason = reason.lower()
    if "password" in reason or "encrypt" in reason:
        return signatures.protected()
    if "limit exceeded" in reason or "too large" in reason:
        return Unparsable("invalid_file", "The file is too large when it is unpacked.")
    return signatures.damaged(kind)


def _paged(text: str, mark: str) -> ParsedFile:
    """The pages that the marks begin, one under the other, and where each begins. What has no marks has no pages."""
    before, *pages = text.split(mark)
    parts, starts, length = [], [], 0
    for page in map(text_decoding.tidy, pages if pages else [before]):
        starts.append(length)
        if page:
            parts.append(page)
            length += len(page) + 2
    return ParsedFile("\n\n".join(parts), starts if pages else [])
