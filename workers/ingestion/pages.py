"""Texts of pages, put together to the text of a document."""

from collections.abc import Iterable

from workers.ingestion import text_decoding
from workers.ingestion.parsed import ParsedFile


def together(pages: Iterable[str]) -> ParsedFile:
    """The pages, one under the other, and where each begins; empty ones are counted and leave no lines."""
    parts, starts, length = [], [], 0
    for page in map(text_decoding.tidy, pages):
        starts.append(length)
        if page:
            parts.append(page)
            length += len(page) + 2
    return ParsedFile("\n\n".join(parts), starts)
