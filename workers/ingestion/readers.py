"""The readers of documents. Their libraries are loaded for the one kind that is asked for: most files are texts."""

from collections.abc import Callable
from functools import partial

from workers.ingestion.parsed import ParsedFile

Reader = Callable[[bytes], ParsedFile]


def load(kind: str) -> Reader:
    """The reader of documents of `kind` (of `signatures.NAMES`, but for html).

    Everything that it needs is imported when this returns: it opens no file, and loads no library, while it reads.
    """
    if kind == "pdf":
        from workers.ingestion import pdf_reading  # noqa: PLC0415

        return pdf_reading.read
    from workers.ingestion import documents  # noqa: PLC0415

    return partial(documents.read, kind=kind)
