"""From the bytes of an Office document or an EPUB book to its text, mostly by the kreuzberg library.

Imported in the parser's process alone: what it does with a stranger's file is not let near anything else.
"""

from typing import Final

from kreuzberg import (
    ConcurrencyConfig,
    ContentFilterConfig,
    ExtractionConfig,
    KreuzbergError,
    extract_bytes_sync,
)

from workers.ingestion import signatures, text_decoding
from workers.ingestion.parsed import ParsedFile, Unparsable

_TYPES: Final = {
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
}


def read(data: bytes, kind: str) -> ParsedFile:
    """The text of the document. Raises Unparsable where it is damaged or protected."""
    return ParsedFile(text_decoding.tidy(_extract(data, kind)))


def _extract(data: bytes, kind: str) -> str:
    config = ExtractionConfig(
        use_cache=False,
        enable_quality_processing=False,  # it drops what it takes for rubbish
        output_format="markdown",
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
