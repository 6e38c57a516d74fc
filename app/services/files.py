"""Files: rows, and the bytes in the storage that belong to them."""

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app import ids
from app.db.base import now
from app.db.session import Sessions, be_patient, transaction
from app.errors import InvalidRequest, NotFound
from app.models import Assistant, File, Thread
from app.models.file import WITHOUT_CONTENTS
from app.pagination import Page, PageQuery, paginate, scoped
from app.services import storage_budget
from app.services.stored_bytes import Incoming, Received, key_of, remove_after_commit
from app.storage import BytesMissing, Storage

log = structlog.get_logger()

#: Those whose content OpenAI does not give back (contract, section 11).
_KEPT_PURPOSES: Final = frozenset({"assistants", "user_data"})
_CODE_FILES: Final = ("code_interpreter", "file_ids")
#: As the index on threads has it: Postgres must see that it may use that.
_HAS_RESOURCES: Final = sa.text("tool_resources <> '{}'::jsonb")


def unexpired() -> sa.ColumnElement[bool]:
    """The condition for files that are there, to any client: what has expired is gone before it is swept."""
    return sa.or_(File.expires_at.is_(None), File.expires_at > sa.func.now())


def refuse_unstorable_id(file_id: str) -> str:
    """The id of a file as a client names it. Raises NotFound for one with U+0000, which Postgres would choke on."""
    if "\0" in file_id:
        raise NotFound.of(File.__tablename__, file_id)
    return file_id


async def get(session: AsyncSession, project_id: str, file_id: str, *, lock: bool = False) -> File:
    """One file. `lock` keeps others from changing or naming it until the end of the transaction. Raises NotFound."""
    statement = scoped(File, project_id).where(File.id == file_id, unexpired())
    if lock:
        statement = statement.with_for_update()
    file = (await session.execute(statement)).scalar_one_or_none()
    if file is None:
        raise NotFound.of(File.__tablename__, file_id)
    return file


async def require(session: AsyncSession, project_id: str, file_ids: Sequence[str]) -> list[File]:
    """The files of these ids, in their order; none can be deleted before the end of the transaction.

    Raises NotFound for the first that is missing.
    """
    statement = scoped(File, project_id).where(File.id.in_(set(file_ids)), unexpired()).order_by(File.id)
    found = {file.id: file for file in await session.scalars(statement.with_for_update(read=True, key_share=True))}
    for file_id in file_ids:
        if file_id not in found:
            raise NotFound.of(File.__tablename__, file_id)
    return [found[file_id] for file_id in file_ids]


async def list_page(session: AsyncSession, project_id: str, page: PageQuery, purpose: str | None = None) -> Page[File]:
    """A page of the project's files, of one purpose or of all. Raises NotFound, InvalidRequest for the cursor."""
    statement = scoped(File, project_id).where(unexpired())
    if purpose is not None:
        statement = statement.where(File.purpose == purpose)
    return await paginate(session, statement, File, page)


async def add(
    session: AsyncSession,
    project_id: str,
    received: Received,
    *,
    filename: str,
    purpose: str,
    storage_limit: int,
    expires_after: int | None = None,
) -> File:
    """Makes the file whose bytes have come; `expires_after` counts seconds.

    Raises InvalidRequest if they came too long ago, and StorageFull where the project then has more than
    `storage_limit` bytes (0: as many as it likes).
    """
    written = received.claim()
    made = now()
    file = File(
        id=received.id,
        project_id=project_id,
        created_at=made,
        filename=filename,
        purpose=purpose,
        bytes=written.bytes,
        sha256=written.sha256,
        status="processed",
        expires_at=None if expires_after is None else made + timedelta(seconds=expires_after),
    )
    session.add(file)
    await session.flush()
    await storage_budget.check(session, project_id, storage_limit)
    return file


async def store(
    sessions: Sessions,
    storage: Storage,
    project_id: str,
    *,
    filename: str,
    purpose: str,
    data: AsyncIterable[bytes],
    storage_limit: int,
) -> File:
    """Makes a file of Locum's own, in a transaction of its own. Raises StorageFull, and StorageAway."""
    room = await storage_budget.room(sessions, project_id, storage_limit)
    async with Incoming(storage, ids.FILE, room=room) as incoming:
        received = await incoming.take(data)
        async with transaction(sessions) as session:
            return await add(
                session, project_id, received, filename=filename, purpose=purpose, storage_limit=storage_limit
            )


def read(storage: Storage, file: File, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
    """The bytes of a file. Raises BytesMissing if it has been deleted meanwhile, and StorageAway."""
    return storage.read(key_of(file.id), start, end)


async def opened(storage: Storage, file: File, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
    """As `read`, when the first bytes are there: what goes wrong until then can still be told.

    Raises NotFound if the file has been deleted meanwhile, and StorageAway.
    """
    data = read(storage, file, start, end)
    try:
        first = await anext(data, b"")
    except BytesMissing:
        log.warning("bytes_missing", file_id=file.id)
        raise NotFound.of(File.__tablename__, file.id) from None
    return _resumed(first, data)


async def _resumed(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async with aclosing(rest):  # type: ignore[type-var]
        yield first
        async for piece in rest:
            yield piece


def refuse_without_contents(file: File) -> None:
    """Raises InvalidRequest for a file of which nothing but its name is here."""
    if file.status == WITHOUT_CONTENTS:
        raise InvalidRequest(f"File '{file.id}' cannot be read. {file.status_details}")


def refuse_kept(file: File) -> None:
    """Raises InvalidRequest for a file whose content OpenAI would not give back."""
    if file.purpose in _KEPT_PURPOSES:
        raise InvalidRequest(f"Not allowed to download files of purpose: {file.purpose}")


async def delete(session: AsyncSession, storage: Storage, project_id: str, file_id: str) -> None:
    """Deletes a file, and takes it out of all vector stores, assistants and threads. Raises NotFound."""
    await discard(session, storage, [await get(session, project_id, file_id, lock=True)])


async def discard(session: AsyncSession, storage: Storage, files: Sequence[File]) -> None:
    """Deletes `files`, which `session` has locked. Their bytes go after the commit."""
    await be_patient(session)
    for file in files:
        for model in (Assistant, Thread):
            await session.execute(_without(model), {"owner": file.project_id, "file": file.id, "held": _holding(file)})
    file_ids = [file.id for file in files]
    await session.execute(sa.delete(File).where(File.id.in_(file_ids)))
    remove_after_commit(session, storage, file_ids)


def _holding(file: File) -> dict[str, Any]:
    tool, key = _CODE_FILES
    return {tool: {key: [file.id]}}


def _without(model: type[Assistant] | type[Thread]) -> Any:
    """The statement that takes a file out of the lists that the code interpreter is given."""
    resources = model.tool_resources
    left = resources[_CODE_FILES].op("-")(sa.bindparam("file", type_=sa.Text))
    return (
        sa.update(model)
        .where(model.project_id == sa.bindparam("owner"), _HAS_RESOURCES, resources.contains(sa.bindparam("held")))
        .values(tool_resources=sa.func.jsonb_set(resources, sa.cast(sa.literal(_CODE_FILES), sa.ARRAY(sa.Text)), left))
        .execution_options(synchronize_session=False)
    )
