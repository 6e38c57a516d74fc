"""Uploads: files that come in parts, in any order and side by side (contract, section 11)."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from app import ids
from app.db.base import now
from app.db.session import Sessions, transaction
from app.domain.statuses import UploadStatus
from app.errors import InvalidRequest, NotFound
from app.models import File, Upload, UploadPart
from app.pagination import scoped
from app.schemas import uploads as schemas
from app.services import files, storage_budget
from app.services.stored_bytes import Incoming, Received, key_of, remove_after_commit
from app.storage import BytesMissing, Storage

_LIFETIME: Final = timedelta(hours=1)


async def create(session: AsyncSession, project_id: str, body: schemas.UploadCreate) -> Upload:
    """Begins an upload."""
    made = now()
    upload = Upload(
        id=ids.new(ids.UPLOAD),
        project_id=project_id,
        created_at=made,
        filename=body.filename,
        purpose=body.purpose,
        bytes=body.bytes,
        mime_type=body.mime_type,
        status="pending",
        expires_at=made + _LIFETIME,
        file_expires_after=body.expires_after.seconds if body.expires_after else None,
    )
    session.add(upload)
    await session.flush()
    return upload


async def get(session: AsyncSession, project_id: str, upload_id: str, *, lock: bool = False) -> Upload:
    """One upload. `lock` keeps others from changing it until the end of the transaction. Raises NotFound."""
    statement = scoped(Upload, project_id).where(Upload.id == upload_id)
    if lock:
        statement = statement.with_for_update()
    upload = (await session.execute(statement)).scalar_one_or_none()
    if upload is None:
        raise NotFound.of(Upload.__tablename__, upload_id)
    return upload


async def pending(session: AsyncSession, project_id: str, upload_id: str, to: str, *, lock: bool = False) -> Upload:
    """One upload that still waits; `to` is what is to be done to it, for the error. Raises NotFound, InvalidRequest."""
    upload = await get(session, project_id, upload_id, lock=lock)
    overdue = upload.status == "pending" and upload.expires_at <= now()
    status = UploadStatus.EXPIRED if overdue else upload.status
    if status != "pending":
        raise InvalidRequest(f"Cannot {to} upload with status '{status}'.")
    return upload


async def add_part(
    session: AsyncSession, project_id: str, upload_id: str, received: Received, storage_limit: int
) -> UploadPart:
    """Makes the part whose bytes have come.

    Parts may be more than the file needs: a client that lost an answer sends its part again. Raises NotFound, and
    InvalidRequest for an upload that waits no more, or that holds too much; StorageFull where the project does.
    """
    upload = await pending(session, project_id, upload_id, "add a part to", lock=True)
    written = received.claim()
    totals = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(UploadPart.bytes), 0))
    parts, total = (await session.execute(totals.where(UploadPart.upload_id == upload.id))).one()
    if parts >= schemas.MAX_PARTS:
        raise InvalidRequest(f"The upload has {schemas.MAX_PARTS} parts already, which is the maximum.", param="data")
    if total + written.bytes > schemas.MAX_UPLOAD_BYTES:
        message = f"The parts of the upload would exceed the maximum of {schemas.MAX_UPLOAD_BYTES} bytes."
        raise InvalidRequest(message, param="data")
    part = UploadPart(id=received.id, project_id=project_id, upload_id=upload.id, bytes=written.bytes)
    session.add(part)
    await session.flush()
    await storage_budget.check(session, project_id, storage_limit)
    return part


async def complete(
    sessions: Sessions,
    storage: Storage,
    project_id: str,
    upload_id: str,
    body: schemas.UploadComplete,
    storage_limit: int,
) -> tuple[Upload, File]:
    """Makes the file of an upload out of the parts that the request names.

    They are put together with no transaction open; of two such requests at once the first to be ready wins. Raises
    NotFound, StorageAway, and InvalidRequest for an upload that waits no more and for parts that do not fit.
    """
    try:
        async with transaction(sessions) as session:
            upload = await pending(session, project_id, upload_id, "complete")
            await _check_parts(session, upload, body.part_ids)
    except InvalidRequest:
        # The parts of an upload that was completed between the two are gone: then that is what is wrong.
        async with transaction(sessions) as session:
            await pending(session, project_id, upload_id, "complete")
        raise
    async with Incoming(storage, ids.FILE) as incoming:
        try:
            received = await incoming.take(_joined(storage, body.part_ids))
        except BytesMissing:
            # Completed, cancelled or expired meanwhile: the next check says which.
            async with transaction(sessions) as session:
                await pending(session, project_id, upload_id, "complete")
            raise
        if body.md5 is not None and received.written.md5 != body.md5.lower():
            message = f"The MD5 checksum of the parts is '{received.written.md5}', which is not '{body.md5}'."
            raise InvalidRequest(message, param="md5", code="invalid_value")
        async with transaction(sessions) as session:
            return await _finish(session, storage, project_id, upload_id, received, storage_limit)


async def _check_parts(session: AsyncSession, upload: Upload, part_ids: Sequence[str]) -> None:
    """Raises InvalidRequest for parts of other uploads, repeated ones, and a total that was not announced."""
    statement = sa.select(UploadPart.id, UploadPart.bytes).where(UploadPart.upload_id == upload.id)
    sizes = dict((await session.execute(statement)).all())
    seen: set[str] = set()
    for position, part_id in enumerate(part_ids):
        param = f"part_ids[{position}]"
        if part_id not in sizes:
            message = f"Invalid '{param}': upload '{upload.id}' has no part '{part_id[:100]}'."
            raise InvalidRequest(message, param=param, code="invalid_value")
        if part_id in seen:
            message = f"Invalid '{param}': part '{part_id}' is named more than once."
            raise InvalidRequest(message, param=param, code="invalid_value")
        seen.add(part_id)
    total = sum(sizes[part_id] for part_id in part_ids)
    if total != upload.bytes:
        message = f"The parts hold {total} bytes, but the upload was created for {upload.bytes} bytes."
        raise InvalidRequest(message, param="part_ids", code="invalid_value")


async def _joined(storage: Storage, part_ids: Sequence[str]) -> AsyncIterator[bytes]:
    for part_id in part_ids:
        async for piece in storage.read(key_of(part_id)):
            yield piece


async def _finish(
    session: AsyncSession, storage: Storage, project_id: str, upload_id: str, received: Received, storage_limit: int
) -> tuple[Upload, File]:
    upload = await pending(session, project_id, upload_id, "complete", lock=True)
    # The file takes the room of its parts.
    await close(session, storage, upload, UploadStatus.COMPLETED)
    file = await files.add(
        session,
        project_id,
        received,
        filename=upload.filename,
        purpose=upload.purpose,
        storage_limit=storage_limit,
        expires_after=upload.file_expires_after,
    )
    upload.file_id = file.id
    await session.flush()
    return upload, file


async def cancel(session: AsyncSession, storage: Storage, project_id: str, upload_id: str) -> Upload:
    """Gives up an upload. Raises NotFound, and InvalidRequest for one that waits no more."""
    upload = await pending(session, project_id, upload_id, "cancel", lock=True)
    await close(session, storage, upload, UploadStatus.CANCELLED)
    return upload


async def close(session: AsyncSession, storage: Storage, upload: Upload, status: str) -> None:
    """Ends an upload that `session` has locked. Its parts go, and after the commit their bytes."""
    upload.status = status
    await session.flush()
    statement = sa.delete(UploadPart).where(UploadPart.upload_id == upload.id).returning(UploadPart.id)
    part_ids = (await session.scalars(statement.execution_options(synchronize_session=False))).all()
    remove_after_commit(session, storage, part_ids)
