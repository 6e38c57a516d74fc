"""Checks of the ZIP archives that newer Office documents, OpenDocument files and EPUB books are."""

import io
import zipfile
import zlib
from typing import Final

from workers.ingestion import signatures
from workers.ingestion.parsed import Unparsable

ARCHIVES: Final = frozenset({"docx", "epub", "odp", "ods", "odt", "pptx", "xlsx"})

#: An archive with nothing in it.
EMPTY: Final = b"PK\5\6" + bytes(18)

#: Far beyond what people write; a bomb declares more, or breaks the process's own limits.
_MAX_PARTS: Final = 20_000
_MAX_UNPACKED_BYTES: Final = 2**30
_MAX_PART_BYTES: Final = 100 * 2**20  # of markup; the parser takes no more either

_MARKUP: Final = (".xml", ".rels", ".html", ".xhtml", ".htm")


def check(data: bytes, kind: str) -> None:
    """Raises Unparsable where an archive of the kind is damaged, encrypted, or too large to be unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_sizes(archive.infolist())
            encrypted = any(part.flag_bits & 1 for part in archive.infolist()) or _is_encrypted_odf(archive)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, OSError, EOFError) as error:
        raise signatures.damaged(kind) from error
    if encrypted:
        raise signatures.protected()


def _check_sizes(parts: list[zipfile.ZipInfo]) -> None:
    whole = sum(part.file_size for part in parts)
    most = max((part.file_size for part in parts if part.filename.lower().endswith(_MARKUP)), default=0)
    for size, limit, what in (
        (len(parts), _MAX_PARTS, "it has {:,} parts, of at most {:,}"),
        (whole // 2**20, _MAX_UNPACKED_BYTES // 2**20, "{:,} MiB, of at most {:,}"),
        (most // 2**20, _MAX_PART_BYTES // 2**20, "one part of it (a sheet, a text) has {:,} MiB, of at most {:,}"),
    ):
        if size > limit:
            told = what.format(size, limit)
            raise Unparsable(
                "invalid_file", f"The file is too large when it is unpacked: {told}. Divide it into smaller files."
            )


def _is_encrypted_odf(archive: zipfile.ZipFile) -> bool:
    if "META-INF/manifest.xml" not in archive.namelist():
        return False
    with archive.open("META-INF/manifest.xml") as manifest:
        return b"encryption-data" in manifest.read(2**20)
