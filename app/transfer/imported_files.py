"""Files of a dump. Their contents lie beside it, in a folder, under the files' ids.

The hosted API gave back no contents of files of the purpose `assistants`, but the text that its vector stores had made
of them: `<id>.txt` is taken where there is no `<id>`.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.base import now
from app.db.session import Sessions, transaction
from app.models import File, VectorStoreFile
from app.models.file import WITHOUT_CONTENTS
from app.pagination import scoped
from app.services.stored_bytes import key_of
from app.storage import Storage
from app.transfer.objects import Row, Saved, SavedFile

_MISSING_DETAILS: Final = "The contents of the file were not in the dump that it was imported from."
#: What its entries in vector stores say.
NO_CONTENTS: Final = {"code": "invalid_file", "message": _MISSING_DETAILS}
_PIECE_BYTES: Final = 2**20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file: imported, there already, or left out for a reason. `remark` is for the operator."""

    is_new: bool = False
    left_out: str | None = None
    remark: str | None = None


async def take(
    sessions: Sessions, storage: Storage, project_id: str, saved: Saved, row: Row, contents: Path | None
) -> Outcome:
    """Imports one file, in a transaction of its own: its contents come first, so no row is without them by accident.

    One that was imported without its contents is completed once they are there. Raises StorageAway.
    """
    assert isinstance(saved, SavedFile)  # noqa: S101 - for mypy
    if saved.expires_at is not None and saved.expires_at <= now():
        return Outcome(left_out=f"file {saved.id}: it has expired")
    found = await _status(sessions, project_id, saved.id)
    path = _contents_of(saved.id, contents)
    if found is not None and (found != WITHOUT_CONTENTS or path is None):
        return Outcome()
    if path is None:
        values = {"status": WITHOUT_CONTENTS, "status_details": _MISSING_DETAILS, "bytes": saved.bytes, "sha256": b""}
        remark = f"file {saved.id}: there are no contents; vector stores cannot search it"
    else:
        written = await storage.write(key_of(saved.id), _pieces(path))
        values = {"status": "processed", "status_details": None, "bytes": written.bytes, "sha256": written.sha256}
        remark = None
        if path.suffix == ".txt":
            values["filename"] = f"{saved.filename}.txt"
            remark = f"file {saved.id}: its text alone was saved; it is now {saved.filename}.txt"
        elif saved.bytes not in (0, written.bytes):
            remark = f"file {saved.id}: its contents have {written.bytes} bytes, not the {saved.bytes} that it had"
    async with transaction(sessions) as session:
        if found is None:
            await session.execute(insert(File).values({**row, **values}).on_conflict_do_nothing())
        else:
            await _complete(session, saved.id, values)
    return Outcome(is_new=True, remark=remark)


async def _status(sessions: Sessions, project_id: str, file_id: str) -> str | None:
    async with transaction(sessions) as session:
        return await session.scalar(scoped(File, project_id).with_only_columns(File.status).where(File.id == file_id))


async def _complete(session: AsyncSession, file_id: str, values: Row) -> None:
    """Gives a file the contents that it was without, and has its vector stores take it in."""
    quiet = {"synchronize_session": False}
    await session.execute(update(File).where(File.id == file_id).values(values).execution_options(**quiet))
    again = {"status": "in_progress", "last_error": None, "tries": 0, "ready_at": func.now()}
    failed = update(VectorStoreFile).where(
        VectorStoreFile.id == file_id, VectorStoreFile.status == "failed", VectorStoreFile.last_error == NO_CONTENTS
    )
    await session.execute(failed.values(again).execution_options(**quiet))


def _contents_of(file_id: str, contents: Path | None) -> Path | None:
    """Where the contents are. The id is one by its pattern: it leads nowhere else."""
    if contents is None:
        return None
    return next((path for path in (contents / file_id, contents / f"{file_id}.txt") if path.is_file()), None)


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as opened:
        while piece := await asyncio.to_thread(opened.read, _PIECE_BYTES):
            yield piece
